"""Parts of a mask that nobody clicked on, away from the part that was clicked.

A small network takes what looks like the object for the object, wherever it is. A part without a
click, smaller than the largest part with one, is given to the background.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import ClickSet
from dynamite.parts import find_parts

LabelMap = NDArray[np.int16]


def drop_stray_parts(labels_HW: LabelMap, clicks: ClickSet) -> LabelMap:
    """The label map without stray parts; an object with no click inside its mask stays whole."""
    kept = labels_HW.copy()
    for index, (top, left, bottom, right) in _boxes(labels_HW, len(clicks.objects)):
        box = slice(top, bottom), slice(left, right)
        mask_hw = (labels_HW[box] == index).view(np.uint8)
        places = [(int(c.y) - top, int(c.x) - left) for c in clicks.objects[index]]
        parts = find_parts(mask_hw, places)
        stray = np.flatnonzero(parts.stray_P)
        if parts.boxes_P4[stray, 2:].prod(1, dtype=np.int64).sum() > mask_hw.size:
            kept[box][parts.stray_P[parts.labels_hw]] = -1
            continue
        # Mostly few and small, and each is looked at in its own box: passes over whole masks took
        # most of a click on a photo of 12 megapixels.
        for part in stray:
            x, y, w, h = parts.boxes_P4[part]
            where = slice(y, y + h), slice(x, x + w)
            kept[box][where][parts.labels_hw[where] == part] = -1
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
