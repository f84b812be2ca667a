"""Settings of retraining: what is collected, when it is trained on, what is published."""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from training.retraining.options import TrainingOptions

LINE = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")


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
    line: str = Field("shared", description="line of models that is served here")
    lines: str = Field(
        "", description="projects with a line of models of their own: plants=3,4 cells=7"
    )
    exhaustive_projects: str = Field(
        "", description="projects that label every object: numbers with commas, or all"
    )

    train_after: int = Field(
        50, ge=0, description="train after this many new annotations; 0: only on request"
    )
    train_schedule: str = Field("", description="train at these times: a cron expression, UTC")
    train_worker: bool = Field(True, description="`dynamite serve` starts a worker for training")
    train_hours: float = Field(12.0, gt=0, description="longest training, hours")

    holdout_share: float = Field(
        0.2, gt=0, lt=1, description="share of accepted images that is never trained on"
    )
    reconcile_minutes: float = Field(
        15.0,
        ge=0,
        description="how often to look for lost webhooks in Label Studio, minutes; 0: never",
    )

    @field_validator("line")
    @classmethod
    def _line_is_a_name(cls, value: str) -> str:
        if not LINE.fullmatch(value):
            raise ValueError("must be lower-case letters, digits and underscores")
        return value

    @model_validator(mode="after")
    def _fits_together_and_can_be_read(self) -> Self:
        if self.judge_most < self.judge_least:
            raise ValueError(
                f"DYNAMITE_JUDGE_MOST is {self.judge_most}, fewer images than the "
                f"{self.judge_least} of DYNAMITE_JUDGE_LEAST: nothing would ever be published"
            )
        parse_lines(self.lines)
        parse_projects(self.exhaustive_projects)
        if self.train_schedule:
            check_schedule(self.train_schedule)
        return self

    def line_of(self, project: int) -> str:
        """Return the line of models that a project trains; ``shared`` unless it is listed."""
        return parse_lines(self.lines).get(project, "shared")

    @property
    def all_lines(self) -> list[str]:
        """Every line that some project may train."""
        return sorted({"shared", self.line, *parse_lines(self.lines).values()})


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


def parse_lines(text: str) -> dict[int, str]:
    """Parse ``plants=3,4 cells=7`` into the line of each project.

    Raises:
        ValueError: it is written otherwise, or names a project twice.
    """
    found: dict[int, str] = {}
    for part in text.replace(";", " ").split():
        name, equals, numbers = part.partition("=")
        projects = numbers.split(",")
        if not equals or not LINE.fullmatch(name) or not all(n.isdecimal() for n in projects):
            raise ValueError(f"DYNAMITE_LINES: {part!r} is not like plants=3,4")
        for project in map(int, projects):
            if project in found:
                raise ValueError(f"DYNAMITE_LINES: project {project} is named twice")
            found[project] = name
    return found


def parse_projects(text: str) -> frozenset[int] | None:
    """Parse comma-separated numbers into a set; return None for ``all``.

    Raises:
        ValueError: it is neither.
    """
    if text.strip().lower() == "all":
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(
            f"DYNAMITE_EXHAUSTIVE_PROJECTS is {text!r}: neither numbers with commas nor 'all'"
        )
    return frozenset(map(int, parts))
