"""CVAT's jobs, tasks and annotations as its API describes them, checked."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError

from backend.errors import BadRequestError

Number = Annotated[int, Field(ge=0, lt=2**53)]


def _list(value: Any) -> Any:
    return [] if value is None else value


class User(BaseModel):
    """A person."""

    id: Number


class Job(BaseModel):
    """A part of a task that one person works on."""

    id: Number
    task_id: Number
    project_id: Number | None = None
    stage: str
    state: str
    type: str = "annotation"
    start_frame: Number
    stop_frame: Number
    updated_date: AwareDatetime
    assignee: User | None = None

    @property
    def project(self) -> int:
        """Number of its project; 0 for a task without one."""
        return self.project_id or 0

    @property
    def updated_at(self) -> str:
        """When it changed: UTC with microseconds, so that later times sort later as text."""
        return moment(self.updated_date)


class Task(BaseModel):
    """A task; the time it was created tells it from one of another CVAT with its number."""

    id: Number
    project_id: Number | None = None
    created_date: AwareDatetime

    @property
    def created_at(self) -> str:
        """When it was created, as text."""
        return moment(self.created_date)


class Label(BaseModel):
    """A label of a job."""

    id: Number
    name: str


class Shape(BaseModel):
    """One shape on one frame."""

    id: Number | None = None
    type: str
    frame: Number
    label_id: Number
    points: Annotated[list[float], BeforeValidator(_list)] = []
    source: str = "manual"


class Annotations(BaseModel):
    """What people drew in a job, or a task."""

    shapes: list[Shape] = []


class Meta(BaseModel):
    """The frames of a job."""

    deleted_frames: list[Number] = []


M = TypeVar("M", bound=BaseModel)


def read(kind: type[M], value: object) -> M:
    """Return an answer of CVAT as a value.

    Raises:
        BadRequestError: it has another form.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        words = f"CVAT describes its {kind.__name__.lower()} otherwise: {place}: {first['msg']}"
        raise BadRequestError(words) from None


def moment(time: datetime) -> str:
    """Return a time as UTC with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
