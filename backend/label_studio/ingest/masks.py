"""Reads the masks of an annotation: objects for the store, or why not.

Keypoints and rectangles are prompts, not accepted masks. Results in which another tag repeats a
mask do not count either (docs/label-studio-protocol.md, 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np

from backend.label_studio.config_check import listed
from backend.label_studio.kinds.table import BY_TYPE
from backend.label_studio.labeling_config import POINTS, LabelingConfig
from backend.label_studio.raw_values import shown
from backend.label_studio.result_list import read_results
from backend.serving.answer_log import ANY_REGION
from backend.session.bitmask import BitMask, Mask
from backend.session.paint import Paint
from backend.session.regions import ImageKey
from backend.session.sketch import ALIKE, overlap
from backend.session.stored_masks import Polygons
from dynamite.errors import InvalidInputError
from training.annotation_store import Origin, Region, Rejection, encode_mask

NO_MASK = "no_mask"
"""Code of an annotation with clicks and no mask."""

Answers = Mapping[str, Mapping[str, Any]]
"""By region, then by the digest of the mask: [model version, clicks, sketch]
(``answer_log.recall``)."""

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
    read = read_results([raw for raw in result if _is_mask(raw) or _is_label(raw)], config)
    for name, error in read.errors:
        found.rejections.append(Rejection("bad_region", str(error), name))
    masks = [raw for raw in result if _is_mask(raw)]
    scored = {str(raw.get("id")) for raw in masks if raw.get("score") is not None}
    for painted in read.entries:
        if not isinstance(painted, Paint):
            continue
        was_suggested = bool(scored & {painted.id, *painted.parts})
        try:
            region = _region(painted, config, answers, was_suggested=was_suggested)
        except _RejectedError as error:
            name = painted.id[:80]
            found.rejections.append(Rejection(error.code, str(error), name))
        else:
            sized = ((painted.height, painted.width), region)
            found.regions.setdefault(painted.image, []).append(sized)
    if not masks:
        found.rejections += _forgotten_tick(result, config)
    return found


def _is_mask(raw: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(raw, Mapping) and str(raw.get("type", "")).lower() in BY_TYPE


def _is_label(raw: object) -> bool:
    return isinstance(raw, Mapping) and raw.get("type") == "labels"


def _forgotten_tick(result: Sequence[object], config: LabelingConfig) -> list[Rejection]:
    """Return what to say of an annotation without a mask, but with clicks that asked for one."""
    smart = {control.name for control in config.of_type(POINTS) if control.smart}
    painted = {label for control in config.outputs() for label in control.labels}
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
    painted: Paint, config: LabelingConfig, answers: Answers, *, was_suggested: bool
) -> Region:
    controls = config.outputs(painted.image.name)
    if not painted.label:
        raise _RejectedError("bad_region", "it has no label")
    if not any(control.offers(painted.label) for control in controls):
        known = listed({label for control in controls for label in control.labels})
        titles = " or ".join(dict.fromkeys(control.title for control in controls))
        raise _RejectedError(
            "unknown_label",
            f"the label {shown(painted.label)} is not one of {titles or 'any mask tag'} ({known})",
        )
    mask = _mask(painted)
    if not mask.any():
        raise _RejectedError("empty_mask", "the mask has no pixel")
    bits, is_outlined = BitMask.of(mask), isinstance(painted.stored, Polygons)
    answered = answers.get(painted.id, {})
    same = same_answer(bits, answered, by_overlap=is_outlined)
    if not answered:  # an id of the page's own: corrected there, it counts as drawn
        same = same_answer(bits, answers.get(ANY_REGION, {}), by_overlap=is_outlined)
    origin, version, clicks = provenance(same, answered, was_suggested=was_suggested)
    area = int(np.count_nonzero(mask))
    return Region(painted.id, painted.label, encode_mask(mask), area, origin, version, clicks)


def same_answer(
    mask: BitMask, answered: Mapping[str, Any], *, by_overlap: bool
) -> Sequence[Any] | None:
    """Return the answer that a mask is, among ``answered``; None if it is none of them.

    Its pixels decide. ``by_overlap``: of an outline, whose corners a page may have rounded or
    chosen anew, the overlap does, too.
    """
    same: Sequence[Any] | None = answered.get(mask.digest)
    if same is None and by_overlap:
        same = next((a for a in answered.values() if overlap(str(a[-1]), mask) >= ALIKE), None)
    return same


def _mask(painted: Paint) -> Mask:
    if painted.strokes:
        raise _RejectedError("bad_region", "it holds strokes, but no rle")
    try:
        return painted.pixels()
    except InvalidInputError as error:
        raise _RejectedError("bad_mask", str(error)) from None


def provenance(
    same: Sequence[Any] | None, answered: Mapping[str, Any], *, was_suggested: bool
) -> tuple[Origin, str | None, int | None]:
    """Tell where a mask comes from by what the model answered for its region.

    Without an answer to compare with, a region with a score was once a suggestion of the model. It
    counts as unchanged: to undervalue a correction does less harm than to train on an echo.

    Args:
        same: the answer that it is, or None.
        answered: all answers for its region.
        was_suggested: whether it has a score.

    Returns:
        The mask's origin, the model version and the number of clicks; None where unknown.
    """
    if same is not None:
        return Origin.UNCHANGED, str(same[0]), int(same[1])
    if answered:
        version, clicks, *_ = list(answered.values())[-1]
        return Origin.CORRECTED, str(version), int(clicks)
    return (Origin.UNCHANGED if was_suggested else Origin.DRAWN), None, None
