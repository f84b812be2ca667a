"""Which small objects are drawn again, from an enlarged crop of the image (docs/network.md, 8).

An object of 20 input pixels has 5 × 5 cells of the network's features: too few for its shape. A
crop around it, encoded like an image, has many more. Crops cost time, and after a first click they
gain nothing, because then the other objects' clicks say more about the borders than pixels do. So
only an object that was corrected gets one (docs/experiments.md).
"""

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet
from dynamite.network.refiner_boxes import Box
from dynamite.predict.boxes import object_boxes

LabelMap = NDArray[np.int16]

SMALL = 20.0
"""Input pixels: a small object's area is below that of a square with this side."""

CONTEXT = 3.5
"""A crop's side, at least, in sides of its object with its clicks."""

SMALLEST = 24.0
"""Input pixels on a side of the smallest crop."""

LARGEST = 136.0
"""Input pixels on a side of the largest crop: thin objects can be long, and a crop must enlarge."""

STEP = math.sqrt(2)
"""Sides grow by this factor, and middles lie at the object's first click or eighths of a side away
from it: while an object is corrected, its mask changes a little, and the crop is still the same."""

MOST = 8
"""Crops in one answer; objects with the newest clicks come first."""


@dataclass(frozen=True, slots=True)
class TargetCrop:
    """A small object's crop.

    Attributes:
        box: rows and columns, in pixels of the output.
        clicks: those in the box, in its pixels.
        owners: the object index of each object of the clicks; the small object comes first.
    """

    box: Box
    clicks: ClickSet
    owners: tuple[int, ...]


def target_crops(
    owner_hw: LabelMap,
    clicks: ClickSet,
    *,
    cell: float,
    pixels: tuple[float, float],
    output_size: tuple[int, int],
    moved: Container[int],
) -> list[TargetCrop]:
    """Return the crops of the small objects that were corrected.

    Args:
        owner_hw: the object index of each cell, −1 for the background.
        clicks: in pixels of the output.
        cell: input pixels on a side of a cell.
        pixels: output pixels per cell, down and across.
        output_size: (H, W) of the output.
        moved: the objects that may change.
    """
    against = len(clicks.background)
    corrected = [i for i, own in enumerate(clicks.objects) if i in moved and len(own) + against > 1]
    if not corrected:  # most clicks: nothing has to be counted
        return []
    cells_N = np.bincount(owner_hw.ravel() + 1, minlength=len(clicks.objects) + 1)[1:]
    boxes = dict(object_boxes(owner_hw, len(clicks.objects)))
    most = (SMALL / cell) ** 2
    small = [i for i in corrected if cells_N[i] < most]
    small.sort(key=lambda index: -max(click.time for click in clicks.objects[index]))
    found: list[TargetCrop] = []
    for index in small:
        own = clicks.objects[index]
        spans = _spans(boxes.get(index), own, pixels)
        side = _side(max(high - low for low, high in spans) * cell)
        if side > LARGEST:
            continue
        crop = _crop(index, _around(own, spans, side / cell, pixels, output_size), clicks)
        if crop and len(crop.clicks.objects[0]) + len(crop.clicks.background) > 1:
            found.append(crop)
    return found[:MOST]


def paste(labels_HW: LabelMap, crop: TargetCrop, answer: LabelMap) -> bool:
    """Draw the object of a crop as the answer to its clicks does, in place.

    Returns:
        False, with nothing drawn, if the object is cut off by the edge of the crop, or is nowhere.
    """
    inside = labels_HW[crop.box]
    own = answer == 0
    if not own.any() or _is_cut_off(own, crop.box, labels_HW.shape):
        return False
    heirs = np.array([*crop.owners, -1], np.int16)[answer]
    np.copyto(inside, heirs, where=own | (inside == crop.owners[0]))
    return True


def _spans(
    box: Box | None, clicks: Sequence[Click], pixels: tuple[float, float]
) -> list[tuple[float, float]]:
    """Return from where to where an object and its clicks reach, in cells, by axis."""
    places = [(click.y, click.x) for click in clicks]
    spans = []
    for axis, scale in enumerate(pixels):
        ends = [place[axis] / scale for place in places]
        if box is not None:
            ends += [box[axis].start, box[axis].stop]
        spans.append((min(ends), max(ends)))
    return spans


def _side(extent: float) -> float:
    """Return the side of the crop of an object that extends so far, in input pixels."""
    wanted = max(CONTEXT * extent / SMALLEST, 1)
    return SMALLEST * STEP ** math.ceil(math.log(wanted, STEP))


def _around(
    clicks: Sequence[Click],
    spans: Sequence[tuple[float, float]],
    side: float,
    pixels: tuple[float, float],
    output_size: tuple[int, int],
) -> Box:
    """Return a square around an object, in pixels of the output; side and spans are in cells."""
    first = min(clicks, key=lambda click: click.time)
    box = []
    for (low, high), place, scale, length in zip(
        spans, (first.y, first.x), pixels, output_size, strict=True
    ):
        anchor, step = place / scale, side / 8
        middle = anchor + round(((low + high) / 2 - anchor) / step) * step
        reach = min(max(2, round(side * scale)), length)
        start = min(max(0, round((middle - side / 2) * scale)), length - reach)
        box.append(slice(start, start + reach))
    return box[0], box[1]


def _crop(index: int, box: Box, clicks: ClickSet) -> TargetCrop | None:
    """Return the crop of an object, None if some of its clicks lie outside."""
    rows, columns = box

    def inside(given: Sequence[Click]) -> Iterator[Click]:
        for click in given:
            if rows.start <= click.y < rows.stop and columns.start <= click.x < columns.stop:
                yield Click(click.x - columns.start, click.y - rows.start, click.time)

    near = {owner: list(inside(own)) for owner, own in enumerate(clicks.objects)}
    if len(near[index]) < len(clicks.objects[index]):
        return None
    owners = (index, *(owner for owner, own in near.items() if own and owner != index))
    moved = ClickSet([near[owner] for owner in owners], inside(clicks.background))
    return TargetCrop(box, moved, owners)


def _is_cut_off(own: NDArray[np.bool_], box: Box, size: Sequence[int]) -> bool:
    rows, columns = box
    return bool(
        (rows.start > 0 and own[0].any())
        or (rows.stop < size[0] and own[-1].any())
        or (columns.start > 0 and own[:, 0].any())
        or (columns.stop < size[1] and own[:, -1].any())
    )
