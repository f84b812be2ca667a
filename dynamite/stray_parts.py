"""Parts of a mask that nobody clicked on, away from the part that was clicked.

A small network takes what looks like the object for the object, wherever it is. A part without a
click, smaller than the largest part with one, is given to the background.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet

LabelMap = NDArray[np.int16]


def drop_stray_parts(labels_HW: LabelMap, clicks: ClickSet) -> LabelMap:
    """The label map without stray parts; an object with no click inside its mask stays whole."""
    kept = labels_HW.copy()
    for index, (top, left, bottom, right) in _boxes(labels_HW, len(clicks.objects)):
        box = slice(top, bottom), slice(left, right)
        mask_hw = (labels_HW[box] == index).view(np.uint8)
        for part, is_stray in _stray(mask_hw, clicks.objects[index], top=top, left=left):
            kept[box][part][is_stray] = -1
    return kept


def _boxes(labels_HW: LabelMap, objects: int) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Each object that has pixels and its box (top, left, bottom, right), ends excluded.

    From the runs of equal labels in the rows: one pass over the map, however many objects.
    """
    height, width = labels_HW.shape
    begins = np.empty((height, width), dtype=bool)
    begins[:, 0] = True
    np.not_equal(labels_HW[:, 1:], labels_HW[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    label = labels_HW.ravel()[start].astype(np.intp)
    row, column = np.divmod(start, width)
    length = np.diff(start, append=height * width)
    # The background, −1, counts as one more object at the end.
    top, bottom = np.full(objects + 1, -1), np.zeros(objects + 1, dtype=np.intp)
    left, right = np.full(objects + 1, width), np.zeros(objects + 1, dtype=np.intp)
    top[label[::-1]], bottom[label] = row[::-1], row + 1  # rows ascend, and the last one stays
    np.minimum.at(left, label, column)
    np.maximum.at(right, label, column + length)
    for index in np.flatnonzero(top[:objects] >= 0).tolist():
        yield index, (int(top[index]), int(left[index]), int(bottom[index]), int(right[index]))


def _stray(
    mask_hw: NDArray[np.uint8], clicks: tuple[Click, ...], *, top: int, left: int
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """The stray parts of a mask, cut out at (top, left): where in it, and which pixels there.

    Each in its own box, since most are small: passes over the whole mask took most of a click on a
    photo of 12 megapixels.
    """
    count, parts_hw, boxes, _ = cv2.connectedComponentsWithStats(mask_hw)
    if count == 2:  # the rest of the box, and one part
        return
    height, width = mask_hw.shape
    places = [(int(click.y) - top, int(click.x) - left) for click in clicks]
    clicked = {int(parts_hw[y, x]) for y, x in places if 0 <= y < height and 0 <= x < width} - {0}
    areas = boxes[:, cv2.CC_STAT_AREA]
    limit = max((int(areas[part]) for part in clicked), default=0)
    for part in np.flatnonzero(areas < limit).tolist():
        if part and part not in clicked:
            x, y, w, h = boxes[part, : cv2.CC_STAT_AREA].tolist()
            where = slice(y, y + h), slice(x, x + w)
            yield where, parts_hw[where] == part
