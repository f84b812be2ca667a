"""One accepted annotation, as the store keeps it."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from training.data.masks import Mask, encode


class Origin(StrEnum):
    """How a mask came to be."""

    UNCHANGED = "unchanged"
    """Accepted as the model answered it."""
    CORRECTED = "corrected"
    """The model's, changed by hand since."""
    DRAWN = "drawn"
    """Painted by hand, or from another tool."""


@dataclass(frozen=True)
class Region:
    """One object.

    Attributes:
        region_id: its id in the annotation.
        label: the class it was given.
        counts: the mask as COCO's compressed RLE.
        area: pixels of the mask.
        origin: where the mask comes from.
        model_version: of the weights that answered it, None if no model did or none is known.
        clicks: how many clicks the answer took, None if not known.
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
        """One of its regions as COCO's compressed RLE."""
        return {"size": [self.height, self.width], "counts": region.counts}

    @property
    def unchanged(self) -> bool:
        """Whether nobody drew or corrected anything: the model's own answers, accepted."""
        return all(region.origin is Origin.UNCHANGED for region in self.regions)


@dataclass(frozen=True)
class AcceptedAnnotation:
    """What one annotator said about one task.

    ``updated_at`` is Label Studio's ISO time in UTC, so that later ones sort later as text.
    ``cancelled`` ones (skipped tasks) are remembered but do not count.
    """

    annotation_id: int
    task: int
    project: int
    updated_at: str
    annotator: int | None = None
    ground_truth: bool = False
    cancelled: bool = False
    images: tuple[AcceptedImage, ...] = ()

    def images_json(self) -> str:
        """The images as canonical JSON."""
        return json.dumps([asdict(image) for image in self.images], sort_keys=True)


@dataclass(frozen=True)
class Rejection:
    """Why a region, or with ``region_id`` None a whole annotation, was set aside.

    ``code`` is one word of a fixed set for counting, ``detail`` a sentence for a person.
    """

    code: str
    detail: str
    region_id: str | None = None


def images_from_json(text: str) -> tuple[AcceptedImage, ...]:
    """The inverse of ``AcceptedAnnotation.images_json``."""
    return tuple(_image(values) for values in json.loads(text))


def _image(values: dict[str, Any]) -> AcceptedImage:
    regions = tuple(
        Region(**(region | {"origin": Origin(region["origin"])})) for region in values["regions"]
    )
    return AcceptedImage(**(values | {"regions": regions}))


def encode_mask(mask: Mask) -> str:
    """``Region.counts`` of a bool H×W mask."""
    counts: str = encode(mask)["counts"]
    return counts
