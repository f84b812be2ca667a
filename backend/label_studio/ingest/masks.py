"""Reads the ``brushlabels`` results of an annotation: objects for the store, or why not.

Keypoints and rectangles are prompts, not accepted masks. Results in which another tag repeats a
mask do not count either (docs/label-studio-protocol.md, 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.label_studio.config_check import listed
from backend.label_studio.labeling_config import BRUSH, POINTS, LabelingConfig
from backend.label_studio.region_reader import RegionError, read_region, shown
from backend.session.paint import Paint
from backend.session.regions import ImageKey
from dynamite import brush_rle
from dynamite.errors import InvalidInputError
from training.annotation_store import Origin, Region, Rejection, encode_mask

NO_MASK = "no_mask"
"""Code of an annotation with clicks and no mask."""

THRESHOLD = 127
"""Hand-painted strokes have soft edges: a pixel counts above this value of 255."""

Answers = Mapping[str, Mapping[str, Any]]
"""By region, then by the digest of the mask: [model version, clicks] (``answer_log.recall``)."""

Size = tuple[int, int]
"""H, W."""


@dataclass
class Accepted:
    """The objects of one annotation, by image, each with the image size that it states."""

    regions: dict[ImageKey, list[tuple[Size, Region]]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def reject(self, image: ImageKey, code: str, detail: str) -> None:
        """Set aside all objects of an image."""
        regions = self.regions.pop(image)
        self.rejections += [Rejection(code, detail, region.region_id) for _, region in regions]

    def fitting(self, image: ImageKey, size: Size) -> tuple[Region, ...]:
        """Return the objects of an image that fit its size; set aside those of other sizes."""
        height, width = size
        for (own_height, own_width), region in self.regions[image]:
            if (own_height, own_width) != size:
                words = f"the image is {width}×{height}, the mask is {own_width}×{own_height}"
                self.rejections.append(Rejection("wrong_size", words, region.region_id))
        return tuple(region for own, region in self.regions[image] if own == size)


def read_masks(result: object, config: LabelingConfig, answers: Answers) -> Accepted:
    """Read the ``result`` of an annotation; what cannot be used becomes a rejection."""
    found = Accepted()
    if not isinstance(result, list):
        found.rejections.append(Rejection("bad_region", "the annotation's result is no list"))
        return found
    for raw in result:
        if not isinstance(raw, Mapping) or raw.get("type") != BRUSH:
            continue
        name = str(raw.get("id", ""))[:80] or None
        try:
            painted = read_region(raw)
            if not isinstance(painted, Paint):
                raise RegionError("it holds no mask")
            region = _region(painted, raw, config, answers)
        except RegionError as error:
            found.rejections.append(Rejection("bad_region", str(error), name))
        except _RejectedError as error:
            found.rejections.append(Rejection(error.code, str(error), name))
        else:
            sized = ((painted.height, painted.width), region)
            found.regions.setdefault(painted.image, []).append(sized)
    if not any(isinstance(raw, Mapping) and raw.get("type") == BRUSH for raw in result):
        found.rejections += _forgotten_tick(result, config)
    return found


def _forgotten_tick(result: Sequence[object], config: LabelingConfig) -> list[Rejection]:
    """Return what to say of an annotation without a mask, but with clicks that asked for one."""
    smart = {control.name for control in config.of_type(POINTS) if control.smart}
    painted = {label for control in config.of_type(BRUSH) for label in control.labels}
    clicks = 0
    for raw in result:
        value = raw.get("value") if isinstance(raw, Mapping) else None
        if isinstance(raw, Mapping) and isinstance(value, Mapping) and raw.get("type") == POINTS:
            labels = value.get(POINTS)
            meant = isinstance(labels, list) and any(label in painted for label in labels)
            clicks += meant and raw.get("from_name") in smart
    if not clicks:
        return []
    counted = "a click" if clicks == 1 else f"{clicks} clicks"
    words = (
        f"it holds {counted} and no mask: the masks were not accepted with ✓ before Submit; "
        "open it, click again, press ✓, then Update"
    )
    return [Rejection(NO_MASK, words)]


class _RejectedError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def _region(
    painted: Paint, raw: Mapping[str, Any], config: LabelingConfig, answers: Answers
) -> Region:
    controls = config.of_type(BRUSH, painted.image.name)
    if not any(control.offers(painted.label) for control in controls):
        known = listed({label for control in controls for label in control.labels})
        raise _RejectedError(
            "unknown_label",
            f"the label {shown(painted.label)} is not one of BrushLabels ({known})",
        )
    mask = _mask(painted)
    area = int(np.count_nonzero(mask))
    if not area:
        raise _RejectedError("empty_mask", "the mask has no pixel")
    origin, version, clicks = provenance(painted, raw, answers)
    return Region(painted.id, painted.label, encode_mask(mask), area, origin, version, clicks)


def _mask(painted: Paint) -> npt.NDArray[np.bool_]:
    if not painted.rle:
        raise _RejectedError("bad_region", "it holds strokes, but no rle")
    try:
        alpha = brush_rle.decode(painted.rle, (painted.height, painted.width))
    except InvalidInputError as error:
        raise _RejectedError("bad_rle", str(error)) from None
    return alpha > THRESHOLD


def provenance(
    painted: Paint, raw: Mapping[str, Any], answers: Answers
) -> tuple[Origin, str | None, int | None]:
    """Compare a mask with what the model answered for its region.

    Without an answer to compare with, a region with a score was once a suggestion of the model. It
    counts as unchanged: to undervalue a correction does less harm than to train on an echo.

    Returns:
        The mask's origin, the model version and the number of clicks; None where unknown.
    """
    answered = answers.get(painted.id, {})
    if same := answered.get(painted.digest):
        return Origin.UNCHANGED, str(same[0]), int(same[1])
    if answered:
        version, clicks = list(answered.values())[-1]
        return Origin.CORRECTED, str(version), int(clicks)
    forgotten = raw.get("score") is not None
    return (Origin.UNCHANGED if forgotten else Origin.DRAWN), None, None
