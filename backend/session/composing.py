"""Composes the model's answer into the masks to show: disjoint, and true to the plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from backend.session.answer_plan import FractionalClick, ImagePlan, Target
from backend.session.bitmask import BitMask, Mask, union


class Segmented(Protocol):
    """What composing needs of ``dynamite.Segmentation``; object index −1 is background."""

    @property
    def label_map(self) -> npt.NDArray[np.int16]:
        """The object of each pixel, H×W."""

    @property
    def scores(self) -> npt.NDArray[np.floating[Any]]:
        """The model's confidence in each object, 0…1."""


@dataclass(frozen=True)
class ComposedMask:
    """The H×W mask of one object, perhaps empty; ``score`` is None for a repeated mask."""

    id: str
    label: str
    mask: Mask
    score: float | None = None


def compose(plan: ImagePlan, segmented: Segmented | None) -> Iterator[ComposedMask]:
    """Yield the masks of everything in the plan of an image, disjoint.

    Repeated masks come first, then corrected ones, then the rest: each gives way to those before.

    Args:
        plan: what was asked for.
        segmented: the model's answer to ``plan.click_set``, its label map in the size of the image;
            None where the plan has no targets, or segmenting them failed.
    """
    if segmented is not None:
        height, width = segmented.label_map.shape
    elif plan.repeats:
        height, width = plan.repeats[0].mask.height, plan.repeats[0].mask.width
    else:
        return
    taken = union(plan.fixed, height, width)
    for repeat in plan.repeats:
        mask = repeat.mask.sized(height, width) & ~taken
        taken |= mask
        yield ComposedMask(repeat.id, repeat.label, mask)
    if segmented is None:
        return
    owners = segmented.label_map.copy()
    owners[taken] = -1
    corrected_first = sorted(enumerate(plan.targets), key=lambda item: item[1].keep is None)
    for index, target in corrected_first:
        mask = _without(owners == index, target.protected)
        if target.outline is not None:
            mask = target.outline.clip(mask)
        if target.keep is not None:
            mask = correct(target.keep.sized(height, width), mask, target) & ~taken
            taken |= mask
            owners[mask] = -1  # a corrected mask may hold pixels that the model gave to others
        yield ComposedMask(target.id, target.label, mask, float(segmented.scores[index]))


def correct(kept: Mask, predicted: Mask, target: Target) -> Mask:
    """Return ``kept``, changed only where one of the target's fresh clicks lies in the change.

    Around a prompt stroke (``target.scribble``) everything predicted is added.
    """
    added = predicted & ~kept
    if not target.scribble:
        added = _holding(added, [click for click in target.fresh if click in target.clicks])
    against = [click for click in target.fresh if click not in target.clicks]
    removed = _holding(kept & ~predicted, against)
    return (kept | added) & ~removed


def _without(mask: Mask, protected: Sequence[BitMask]) -> Mask:
    """Return the mask less ``protected``; if that is empty, without a pass over the photo."""
    return mask & ~union(protected, *mask.shape) if protected else mask


def _holding(change: Mask, clicks: Sequence[FractionalClick]) -> Mask:
    """Return the connected components of ``change`` that hold one of the clicks."""
    if not clicks or not change.any():
        return np.zeros_like(change)
    height, width = change.shape
    _, components = cv2.connectedComponents(change.view(np.uint8), connectivity=8)
    pixels = [click.in_pixels(height, width, 0) for click in clicks]
    held = {int(components[int(pixel.y), int(pixel.x)]) for pixel in pixels} - {0}
    return np.isin(components, list(held))
