"""What a training job is told, as it comes out of the queue."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from dynamite.errors import DynamiteError

_STRICT = ConfigDict(extra="forbid")


class OrderError(DynamiteError):
    """A training job cannot be understood, or cannot be done as it is."""


@dataclass(frozen=True, config=_STRICT)
class Gate:
    """What a candidate must reach. Shares are relative to the current model's figures.

    Attributes:
        least: fewest held-out images that can decide; without any there is nothing to judge by.
        most: most images of a set that are used.
        margin: clicks per object on the held-out images must fall by at least this share,
        tolerance: and NCI on the base set rise by no more than this one.
        budget: clicks per object before giving up.
        minutes: no image is begun after so long, once ``least`` are done.
        chance: largest probability, of the paired test, that the fall is luck.
    """

    least: Annotated[int, Field(ge=1)] = 8
    most: int = 60
    margin: float = 0.02
    tolerance: float = 0.03
    budget: int = 10
    minutes: float = 15.0
    chance: float = 0.05


@dataclass(frozen=True, config=_STRICT)
class Order:
    """One training of one line of models on one snapshot.

    ``models`` is the folder of the registry, which is not empty if ``begun``, ``run`` that of
    this training, ``images`` the snapshot's, by part. ``preset`` and ``checkpoint`` say what is
    served where no version is current. ``base_sets`` below ``base_root`` give ``base_ratio`` of
    the samples. All attempts at one request have the same ``job``; asked for again, the same data
    have another.
    """

    line: str
    reason: str
    digest: str
    snapshot: Path
    images: dict[str, int]
    models: Path
    run: Path
    begun: bool = False
    preset: str = "lite"
    checkpoint: Path | None = None
    steps: int = 2000
    batch: int = 1
    crop: int = 512
    rate: float = 3e-4
    base_sets: tuple[str, ...] = ()
    base_root: Path | None = None
    base_ratio: float = 0.5
    unchanged_weight: float = 0.25
    hosts: str = ""
    gate: Gate = field(default_factory=Gate)
    judge_base_set: str = ""
    keep_versions: int = 5
    job: str = ""


def read_order(values: Mapping[str, Any]) -> Order:
    """Check what came out of the queue.

    Raises:
        OrderError: a field is unknown, missing or of the wrong kind.
    """
    try:
        return TypeAdapter(Order).validate_python(dict(values))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise OrderError(f"the training job says {place}: {fault['msg']}") from None
