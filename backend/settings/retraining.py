"""Settings of what becomes of accepted annotations."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from backend.settings.lines import NAME, Project, parse_exhaustive_projects, parse_lines

Names = Annotated[tuple[str, ...], NoDecode]
"""Several names, separated by commas in the environment."""


class RetrainingSettings(BaseModel):
    """What is collected, when it is trained on, and what is published."""

    models_dir: Path | None = Field(
        None,
        description="folder of model versions, for all hosts; empty: in the state folder",
    )
    retraining_dir: Path | None = Field(
        None, description="folder of accepted annotations and training runs; empty: likewise"
    )
    label_studio_name: str = Field(
        "label_studio",
        description="name of this Label Studio where several feed one store; lower-case letters, "
        "digits, underscores",
    )
    line: str = Field("shared", description="the line of models that is served here")
    lines: str = Field(
        "", description="projects with a line of models of their own: plants=3,4 cells=cvat:7"
    )
    exhaustive_projects: str = Field(
        "", description="projects that label every object: 3,4,cvat:7, or all"
    )
    unchanged_weight: float = Field(
        0.25, ge=0, le=1, description="weight of masks accepted as the model answered them"
    )

    train_after: int = Field(
        50, ge=0, description="train after so many new annotations; 0: only when told"
    )
    train_schedule: str = Field("", description="train at these times: a cron expression, UTC")
    train_worker: bool = Field(True, description="`dynamite serve` starts a worker for training")
    train_steps: int = Field(2000, ge=1, description="steps of one training")
    train_batch: int = Field(
        1, ge=1, description="images of one step, over all processes; at least one for each"
    )
    train_crop: int = Field(512, ge=32, multiple_of=32, description="size of a crop, pixels")
    train_rate: float = Field(3e-4, gt=0, description="learning rate")
    train_hours: float = Field(12.0, gt=0, description="longest training, hours")
    train_base_sets: Names = Field(
        (), description="data sets mixed in, so that nothing is forgotten: names or folders"
    )
    train_base_root: Path | None = Field(None, description="folder of those data sets")
    train_base_ratio: float = Field(
        0.5, ge=0, lt=1, description="share of the samples drawn from the base sets"
    )
    train_hosts: str = Field(
        "", description="torchrun's --nnodes and --rdzv-endpoint for several hosts: 2@host:29500"
    )

    holdout_share: float = Field(
        0.2, gt=0, lt=1, description="share of accepted images that is never trained on"
    )
    judge_base_set: str = Field(
        "", description="data set that tells of forgetting; empty: the small one that ships"
    )
    judge_least: int = Field(8, ge=2, description="fewest held-out images that can decide")
    judge_most: int = Field(60, ge=2, description="most images of a set used, to take minutes")
    judge_margin: float = Field(
        0.02, ge=0, description="published if clicks on held-out images fall by this share"
    )
    judge_tolerance: float = Field(
        0.03, ge=0, description="and NCI on the base set rises by no more than this share"
    )
    judge_budget: int = Field(10, ge=1, description="clicks per object before giving up")
    keep_versions: int = Field(5, ge=1, description="model versions kept beside current and parent")
    reconcile_minutes: float = Field(
        15.0, ge=0, description="compare with Label Studio so often, for webhooks lost; 0: never"
    )

    @field_validator("line", "label_studio_name")
    @classmethod
    def _line_and_source_are_names(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("must be lower-case letters, digits and underscores")
        return value

    @model_validator(mode="after")
    def _fits_together_and_can_be_read(self) -> Self:
        if self.judge_most < self.judge_least:
            raise ValueError(
                f"DYNAMITE_JUDGE_MOST is {self.judge_most}, fewer images than the "
                f"{self.judge_least} of DYNAMITE_JUDGE_LEAST: nothing would ever be published"
            )
        parse_lines(self.lines, self.label_studio_name)
        parse_exhaustive_projects(self.exhaustive_projects, self.label_studio_name)
        if self.train_schedule:
            check_schedule(self.train_schedule)
        return self

    def line_of(self, project: Project) -> str:
        """Return the line of models that a project trains; ``shared`` unless it is named."""
        return parse_lines(self.lines, self.label_studio_name).of(project)

    def is_exhaustive(self, project: Project) -> bool:
        """Return whether every object in a project is labelled."""
        return project in parse_exhaustive_projects(
            self.exhaustive_projects, self.label_studio_name
        )

    @property
    def all_lines(self) -> list[str]:
        """Every line that some project may train."""
        return sorted({self.line, *parse_lines(self.lines, self.label_studio_name).names})


def check_schedule(text: str) -> None:
    """Make sure that a cron expression is one, and that its time comes.

    Raises:
        ValueError: it does not.
    """
    from croniter import CroniterBadDateError, croniter  # noqa: PLC0415

    if not croniter.is_valid(text):
        raise ValueError(
            f"DYNAMITE_TRAIN_SCHEDULE is {text!r}, which is no cron expression: write one like "
            "'0 2 * * *', every night at two, UTC"
        )
    try:
        croniter(text).get_next()
    except CroniterBadDateError:
        raise ValueError(
            f"DYNAMITE_TRAIN_SCHEDULE is {text!r}, which never comes: there is no such day"
        ) from None
