"""A second look at small objects, on a crop around each (the paper leaves this to future work).

The crop is encoded at the network's input size, so a small object gets as many feature cells as a
large one. The same clicks are answered again, all objects of the crop together, and only what the
second look says of that one object is merged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet

LARGEST = 0.5
"""Objects whose crop is longer than this share of the image's longer side are left as they are."""

MARGIN = 0.4
"""Added to the object's box, as a share of its longer side: context, and room for what was cut."""

SMALLEST = 16
"""Least pixels on a crop's side."""

TRUSTED = 0.3
"""A second look whose overlap (IoU) with the first answer is below this found something else."""

LabelMap = NDArray[np.int16]
Segment = Callable[[NDArray[np.uint8], ClickSet], LabelMap]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image: rows ``top`` … ``bottom`` − 1, columns ``left`` … ``right`` − 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the crop in an H×W array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def holds(self, click: Click) -> bool:
        """The click lies in the crop."""
        return self.left <= click.x < self.right and self.top <= click.y < self.bottom


def zoom_in(
    image: NDArray[np.uint8], clicks: ClickSet, labels: LabelMap, segment: Segment
) -> LabelMap:
    """The label map with its small objects seen again.

    Args:
        image: H×W×3 uint8 RGB.
        clicks: what ``labels`` answers.
        labels: H×W, the first answer.
        segment: encodes and segments a crop, giving its label map.
    """
    refined = labels.copy()
    for index, own in enumerate(clicks.objects):
        crop = crop_around(labels == index, own)
        if crop is None:
            continue
        inside, kept = clicks_inside(clicks, crop)
        again = segment(np.ascontiguousarray(image[crop.window]), inside)
        merge(refined[crop.window], again, index, kept)
    return refined


def crop_around(mask_HW: NDArray[np.bool_], clicks: tuple[Click, ...]) -> Crop | None:
    """The crop to look at for an object; None where it is empty or not small."""
    rows, columns = (np.flatnonzero(mask_HW.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    height, width = mask_HW.shape
    ys = [rows[0], rows[-1] + 1, *(c.y for c in clicks)]
    xs = [columns[0], columns[-1] + 1, *(c.x for c in clicks)]
    side = max(max(ys) - min(ys), max(xs) - min(xs), SMALLEST)
    if side * (1 + 2 * MARGIN) > LARGEST * max(height, width):
        return None
    reach = side * (0.5 + MARGIN)
    y, x = (max(ys) + min(ys)) / 2, (max(xs) + min(xs)) / 2
    return Crop(
        top=max(0, int(y - reach)),
        left=max(0, int(x - reach)),
        bottom=min(height, int(np.ceil(y + reach))),
        right=min(width, int(np.ceil(x + reach))),
    )


def clicks_inside(clicks: ClickSet, crop: Crop) -> tuple[ClickSet, list[int]]:
    """The clicks in the crop, in its frame, and the indices of the objects that have any there."""
    owned = [[c for c in own if crop.holds(c)] for own in clicks.objects]
    kept = [index for index, own in enumerate(owned) if own]
    there = ClickSet(
        [owned[index] for index in kept], [c for c in clicks.background if crop.holds(c)]
    )
    return there.moved(left=crop.left, top=crop.top, scale_x=1, scale_y=1), kept


def merge(labels_hw: LabelMap, again_hw: LabelMap, index: int, kept: list[int]) -> None:
    """Write the second look at object ``index`` into ``labels_hw``, the crop of the label map.

    ``again_hw`` counts the objects of the crop, ``kept`` says which they are. Only pixels that
    either look gave to the object change; an object without clicks in the crop had no say in the
    second look and keeps its pixels.
    """
    said = np.asarray([*kept, -1], dtype=np.int16)[again_hw]
    before, after = labels_hw == index, said == index
    union = (before | after).sum()
    if not union or (before & after).sum() < TRUSTED * union:
        return
    heard = np.isin(labels_hw, [*kept, -1])
    changed = (before | after) & heard
    labels_hw[changed] = said[changed]
