"""Boxes in a label map."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dynamite.network.refiner_boxes import Box

LabelMap = NDArray[np.int16]


def object_boxes(labels_hw: LabelMap, objects: int) -> Iterator[tuple[int, Box]]:
    """Yield each object that has cells, and the box of its mask.

    Computed from runs of equal labels in the rows: one pass over the map for all objects.
    """
    height, width = labels_hw.shape
    starts_run = np.empty((height, width), dtype=bool)
    starts_run[:, 0] = True
    np.not_equal(labels_hw[:, 1:], labels_hw[:, :-1], out=starts_run[:, 1:])
    start = np.flatnonzero(starts_run)
    label = labels_hw.ravel()[start].astype(np.intp)
    row, column = np.divmod(start, width)
    length = np.diff(start, append=height * width)
    # The background, −1, counts as one more object at the end.
    top, bottom = np.full(objects + 1, -1), np.zeros(objects + 1, dtype=np.intp)
    left, right = np.full(objects + 1, width), np.zeros(objects + 1, dtype=np.intp)
    top[label[::-1]], bottom[label] = row[::-1], row + 1  # rows ascend; the last write stays
    np.minimum.at(left, label, column)
    np.maximum.at(right, label, column + length)
    for index in np.flatnonzero(top[:objects] >= 0).tolist():
        yield (
            index,
            (
                slice(int(top[index]), int(bottom[index])),
                slice(int(left[index]), int(right[index])),
            ),
        )


def widened(box: Box, cells: int, size: Sequence[int]) -> Box:
    """Return a box that is wider by some cells on each side, as far as the map reaches."""
    rows, columns = (
        slice(max(one.start - cells, 0), min(one.stop + cells, length))
        for one, length in zip(box, size, strict=True)
    )
    return rows, columns
