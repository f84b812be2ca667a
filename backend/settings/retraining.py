"""Settings of retraining: what is collected, when it is trained on, what is published."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from backend.settings.lines import NAME, Project, Projects, parse_lines, parse_projects
from training.retraining.options import TrainingOptions


class RetrainingSettings(TrainingOptions):
    """The options of a training, and what decides where, when and on what one is run."""

    models_dir: Path | None = Field(
        None,
        description="folder of model versions, for all hosts; empty: in the state folder",
    )
    retraining_dir: Path | None = Field(
        None,
        description="folder of accepted annotations and training runs; empty: in the state folder",
    )
    label_studio_name: str = Field(
        "label_studio",
        description="name of this Label Studio where several feed one store; lower-case letters, "
        "digits, underscores",
    )
    line: str = Field("shared", description="line of models that is served here")
    lines: str = Field(
        "", description="projects with a line of models of their own: plants=3,4 cells=cvat:7"
    )
    exhaustive_projects: str = Field(
        "", description="projects that label every object: 3,4,cvat:7, or all"
    )

    like_labels: tuple[str, ...] = Field(
        ("More like this",),
        description="labels whose clicks ask for all objects like the clicked one; a single comma: "
        "none",
    )
    prelabel_projects: str = Field(
        "", description="projects whose tasks are opened with proposals: 3,4, or all"
    )

    train_after: int = Field(
        50, ge=0, description="train after this many new annotations; 0: only on request"
    )
    train_schedule: str = Field("", description="train at these times: a cron expression, UTC")
    train_worker: bool = Field(True, description="`dynamite serve` starts a worker for training")
    train_hours: float = Field(12.0, gt=0, description="longest training, hours")

    memory: bool = Field(
        False, description="answer with what a project's accepted masks teach, where that helps"
    )

    holdout_share: float = Field(
        0.2, gt=0, lt=1, description="share of accepted images that is never trained on"
    )
    reconcile_minutes: float = Field(
        15.0,
        ge=0,
        description="how often to look for lost webhooks in Label Studio, minutes; 0: never",
    )

    @field_validator("line", "label_studio_name")
    @classmethod
    def _line_and_source_are_names(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("must be lower-case letters, digits and underscores")
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.judge_most < self.judge_least:
            raise ValueError(
                f"DYNAMITE_JUDGE_MOST is {self.judge_most}, fewer images than the "
                f"{self.judge_least} of DYNAMITE_JUDGE_LEAST: nothing would ever be published"
            )
        parse_lines(self.lines, self.label_studio_name)
        _ = self._exhaustive, self._prelabelled
        if self.train_schedule:
            check_schedule(self.train_schedule)
        return self

    def line_of(self, project: Project) -> str:
        """Return the line of models that a project trains; ``shared`` unless it is listed."""
        return parse_lines(self.lines, self.label_studio_name).of(project)

    def is_exhaustive(self, project: Project) -> bool:
        """Return whether every object in a project is labelled."""
        return project in self._exhaustive

    def is_prelabelled(self, project: Project) -> bool:
        """Return whether a project's tasks are opened with proposals."""
        return project in self._prelabelled

    @property
    def describes(self) -> bool:
        """Whether accepted objects are described: where proposals may be asked for."""
        return bool(self.like_labels) or self._prelabelled != Projects()

    @property
    def _exhaustive(self) -> Projects:
        name = "DYNAMITE_EXHAUSTIVE_PROJECTS"
        return parse_projects(name, self.exhaustive_projects, self.label_studio_name)

    @property
    def _prelabelled(self) -> Projects:
        name = "DYNAMITE_PRELABEL_PROJECTS"
        return parse_projects(name, self.prelabel_projects, self.label_studio_name)

    @property
    def all_lines(self) -> list[str]:
        """Every line that some project may train."""
        return sorted({self.line, *parse_lines(self.lines, self.label_studio_name).names})


def check_schedule(text: str) -> None:
    """Check that a cron expression is valid, and that its time comes.

    Raises:
        ValueError: it is not valid, or never comes.
    """
    from croniter import CroniterBadDateError, croniter  # noqa: PLC0415

    if not croniter.is_valid(text):
        raise ValueError(
            f"DYNAMITE_TRAIN_SCHEDULE is {text!r}, which is not a cron expression: write one like "
            "'0 2 * * *', every night at two, UTC"
        )
    try:
        croniter(text).get_next()
    except CroniterBadDateError:
        raise ValueError(
            f"DYNAMITE_TRAIN_SCHEDULE is {text!r}, which never comes: there is no such day"
        ) from None
