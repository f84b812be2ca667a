"""Masks → the regions Label Studio's page shows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from backend.label_studio.labeling_config import BRUSH, LabelingConfig
from backend.session.answer_plan import ImagePlan, Plan, Tap, Target
from backend.session.bitmask import BitMask, Mask, union
from backend.session.call import ImageKey, Painted, Prompt, digest
from dynamite import brush_rle


class Segmented(Protocol):
    """What is needed of ``dynamite.predict.predictor.Segmentation``: index −1 is background."""

    @property
    def label_map(self) -> npt.NDArray[np.int16]:
        """The object of each pixel, H×W."""

    @property
    def scores(self) -> npt.NDArray[np.floating[Any]]:
        """How sure the model is of each object, 0…1."""


@dataclass(frozen=True)
class Answer:
    """The ``result`` list of a prediction, and what it showed, by region id, to be remembered."""

    result: list[dict[str, Any]] = field(default_factory=list)
    masks: dict[str, BitMask] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    score: float = 0.0


@dataclass(frozen=True)
class _Region:
    image: ImageKey
    id: str
    label: str
    mask: Mask
    score: float | None = None


def answer(
    plan: Plan,
    segmented: Mapping[ImageKey, Segmented],
    config: LabelingConfig,
    painted: Mapping[str, Painted] = MappingProxyType({}),
) -> Answer:
    """Disjoint regions for everything in the plan.

    ``segmented`` has the model's answer to ``ImagePlan.clicks`` for every image with targets, its
    label map in the size of the image. Objects that got no pixel have no region. ``painted``: the
    masks on the page by region id, which accepting the answer replaces.
    """
    found = Answer()
    scores = []
    for image in plan.images:
        for region in _regions(image, segmented.get(image.image)):
            tags = _tags(region, config, painted.get(region.id))
            if tags is None or not region.mask.any():
                continue
            rle = brush_rle.encode(region.mask)
            found.result.append(_json(region, rle, tags, config))
            found.masks[region.id] = BitMask.of(region.mask)
            found.digests[region.id] = digest(bytes(rle))
            scores += [] if region.score is None else [region.score]
    return Answer(
        found.result, found.masks, found.digests, float(np.mean(scores)) if scores else 0.0
    )


def _tags(
    region: _Region, config: LabelingConfig, replaced: Painted | None
) -> tuple[str, list[str]] | None:
    """The tag and the labels of a region, None where no tag takes it.

    Accepting it sets both, so the region it replaces keeps its own, unless it was relabelled.
    """
    control = config.brush(region.image.name, region.label)
    if control is None:
        return None
    if replaced is None or region.label not in replaced.labels:
        return control.name, [region.label]
    brushes = {c.name for c in config.of_type(BRUSH, region.image.name)}
    name = replaced.from_name if replaced.from_name in brushes else control.name
    return name, list(replaced.labels)


def _json(
    region: _Region, rle: list[int], tags: tuple[str, list[str]], config: LabelingConfig
) -> dict[str, Any]:
    height, width = region.mask.shape
    from_name, labels = tags
    written: dict[str, Any] = {
        "id": region.id,
        "from_name": from_name,
        "to_name": region.image.name,
        "type": "brushlabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": rle, "brushlabels": labels},
    }
    if region.image.index or any(t.many for t in config.images if t.name == region.image.name):
        written["item_index"] = region.image.index
    if region.score is not None:
        written["score"] = round(region.score, 4)
    return written


def _regions(plan: ImagePlan, segmented: Segmented | None) -> Iterator[_Region]:
    """Repeated masks first, then corrected ones, then the rest: each gives way to those before."""
    if segmented is not None:
        height, width = segmented.label_map.shape
    elif plan.repeats:
        height, width = plan.repeats[0].mask.height, plan.repeats[0].mask.width
    else:
        return
    taken = union(plan.frozen, height, width)
    for repeat in plan.repeats:
        mask = _without(repeat.mask.sized(height, width), repeat.spares) & ~taken
        taken |= mask
        yield _Region(plan.image, repeat.id, repeat.label, mask)
    if segmented is None:
        return
    owners = segmented.label_map.copy()
    owners[taken] = -1
    order = sorted(range(len(plan.targets)), key=lambda i: plan.targets[i].keep is None)
    for index in order:
        target = plan.targets[index]
        mask = _without(owners == index, target.spares)
        if target.box is not None:
            mask &= _inside(target.box, height, width)
        if target.keep is not None:
            mask = corrected(target.keep.sized(height, width), mask, target) & ~taken
            taken |= mask
            owners[mask] = -1
        yield _Region(plan.image, target.id, target.label, mask, float(segmented.scores[index]))


def _without(mask: Mask, spares: Sequence[BitMask]) -> Mask:
    """The mask but for ``spares``, of which there are seldom any: large photos feel each pass."""
    return mask & ~union(spares, *mask.shape) if spares else mask


def _inside(box: Prompt, height: int, width: int) -> Mask:
    """The pixels whose centers lie in a rectangle, without a number for each of a large photo."""
    corners = np.array(box.corners(height, width))
    left, top = np.clip(np.floor(corners.min(0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0)), 0, (width, height)).astype(int)
    x = np.arange(left, right) + 0.5 - corners[0, 0]
    y = np.arange(top, bottom) + 0.5 - corners[0, 1]
    wide, high = box.width * width, box.height * height
    mask = np.zeros((height, width), np.bool_)
    inside = mask[top:bottom, left:right]
    if not box.rotation:
        inside[:] = ((y >= 0) & (y < high))[:, None] & ((x >= 0) & (x < wide))[None, :]
        return mask
    angle = math.radians(box.rotation)
    x_along, x_across = x * math.cos(angle), x * math.sin(angle)
    y_along, y_across = y * math.sin(angle), y * math.cos(angle)
    for row in range(len(y)):
        along, across = x_along + y_along[row], y_across[row] - x_across
        inside[row] = (along >= 0) & (along < wide) & (across >= 0) & (across < high)
    return mask


def corrected(kept: Mask, predicted: Mask, target: Target) -> Mask:
    """``kept``, changed only where one of the target's fresh clicks lies in the change.

    Of a prompt stroke (``target.scribble``) everything predicted is added.
    """
    added = predicted & ~kept
    if not target.scribble:
        added = _holding(added, [tap for tap in target.fresh if tap in target.taps])
    against = [tap for tap in target.fresh if tap not in target.taps]
    removed = _holding(kept & ~predicted, against)
    return (kept | added) & ~removed


def _holding(change: Mask, taps: Sequence[Tap]) -> Mask:
    """The connected parts of ``change`` that hold one of ``taps``."""
    if not taps or not change.any():
        return np.zeros_like(change)
    height, width = change.shape
    _, parts = cv2.connectedComponents(change.view(np.uint8), connectivity=8)
    clicks = [tap.on(height, width, 0) for tap in taps]
    held = {int(parts[int(click.y), int(click.x)]) for click in clicks} - {0}
    return np.isin(parts, list(held))
