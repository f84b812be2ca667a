"""One accepted annotation, as the store keeps it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dynamite.errors import InvalidInputError
from training.annotation_store.keys import AnnotationKey, ProjectKey, TaskKey
from training.data.masks import Mask, MaskError, decode, encode


class Origin(StrEnum):
    """How a mask came to be."""

    UNCHANGED = "unchanged"
    """Accepted exactly as the model answered it."""
    CORRECTED = "corrected"
    """The model's answer, changed by hand."""
    DRAWN = "drawn"
    """Painted by hand, or from another tool."""


@dataclass(frozen=True)
class Region:
    """One object.

    Attributes:
        region_id: its id in the annotation.
        label: its class.
        counts: the mask as COCO's compressed RLE.
        area: pixels of the mask.
        origin: where the mask comes from.
        model_version: version of the weights that answered it; None if drawn or unknown.
        clicks: how many clicks the answer took; None if unknown.
    """

    region_id: str
    label: str
    counts: str
    area: int
    origin: Origin = Origin.DRAWN
    model_version: str | None = None
    clicks: int | None = None


@dataclass(frozen=True)
class AcceptedImage:
    """One image of a task with its objects; ``digest`` names its bytes in the store."""

    digest: str
    height: int
    width: int
    regions: tuple[Region, ...]

    def segmentation(self, region: Region) -> dict[str, Any]:
        """Return the mask of one of its regions as COCO's compressed RLE."""
        return {"size": [self.height, self.width], "counts": region.counts}

    @property
    def unchanged(self) -> bool:
        """Whether all its masks are the model's own answers, without a correction."""
        return all(region.origin is Origin.UNCHANGED for region in self.regions)


@dataclass(frozen=True)
class AcceptedAnnotation:
    """One annotator's annotation of one task.

    Attributes:
        source: short name of the tool or server it comes from.
        annotation_id: its number there, as ``task`` and ``project`` are.
        task: number of its task.
        project: number of its project.
        updated_at: ISO time in UTC with microseconds, so that later times sort later as text.
        annotator: number of the user who made it; None if unknown.
        ground_truth: whether it is marked as ground truth.
        cancelled: whether the task was skipped; it is kept but does not count.
        images: the images of the task with accepted objects.
    """

    source: str
    annotation_id: int
    task: int
    project: int
    updated_at: str
    annotator: int | None = None
    ground_truth: bool = False
    cancelled: bool = False
    images: tuple[AcceptedImage, ...] = ()

    @property
    def key(self) -> AnnotationKey:
        """What identifies it."""
        return AnnotationKey(self.source, self.annotation_id)

    @property
    def task_key(self) -> TaskKey:
        """What identifies its task."""
        return TaskKey(self.source, self.task)

    @property
    def project_key(self) -> ProjectKey:
        """What identifies its project."""
        return ProjectKey(self.source, self.project)

    def images_json(self) -> str:
        """Return the images as canonical JSON."""
        return json.dumps([asdict(image) for image in self.images], sort_keys=True)


@dataclass(frozen=True)
class Rejection:
    """Why a region was set aside, or the whole annotation where ``region_id`` is None.

    ``code`` is one word from a fixed set, for counting; ``detail`` is a sentence for a person.
    """

    code: str
    detail: str
    region_id: str | None = None


def images_from_json(text: str) -> tuple[AcceptedImage, ...]:
    """Parse what ``AcceptedAnnotation.images_json`` returned."""
    return tuple(_image(values) for values in json.loads(text))


def _image(values: dict[str, Any]) -> AcceptedImage:
    regions = tuple(
        Region(**(region | {"origin": Origin(region["origin"])})) for region in values["regions"]
    )
    return AcceptedImage(**(values | {"regions": regions}))


def encode_mask(mask: Mask) -> str:
    """Return ``Region.counts`` of a bool H×W mask."""
    counts: str = encode(mask)["counts"]
    return counts


def polygon_mask(points: Sequence[float], size: tuple[int, int]) -> Mask:
    """Return the bool mask, H×W, of a polygon: x0, y0, x1, y1, … in pixels.

    Raises:
        InvalidInputError: it has no three points, or lies outside the image.
    """
    try:
        return decode([[*points]], size)
    except MaskError as error:
        raise InvalidInputError(f"{error.kind}: {error}") from None
