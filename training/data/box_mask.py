"""A mask as no more than its box: hundreds of objects of a large photo fit into memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.masks import Mask, decompress, fill_runs, run_lengths, to_rle


@dataclass(frozen=True)
class BoxMask:
    """``pixels`` bool h×w, of which none may be set; the first lies at (``top``, ``left``)."""

    pixels: Mask
    top: int
    left: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the box lies in the image."""
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.pixels))

    def without(self, other_HW: Mask) -> "BoxMask":
        """What of it is not in a mask of the whole image."""
        return BoxMask(self.pixels & ~other_HW[self.window], self.top, self.left)


def box_mask(mask_HW: Mask) -> BoxMask:
    """The box of a mask of the whole image; 0×0 where it is empty."""
    columns = np.flatnonzero(mask_HW.any(axis=0))
    if not columns.size:
        return BoxMask(np.zeros((0, 0), np.bool_), 0, 0)
    left, right = int(columns[0]), int(columns[-1]) + 1
    rows = np.flatnonzero(mask_HW[:, left:right].any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    # A copy: the rest of the mask is not to be kept with it.
    return BoxMask(mask_HW[top:bottom, left:right].copy(), top, left)


def decode_box(segmentation: Any, shape: tuple[int, int]) -> BoxMask:
    """Any COCO segmentation of an image H×W, at the cost of its columns; MaskError if none."""
    if isinstance(segmentation, list):
        lengths = decompress(to_rle(segmentation, shape)["counts"])
    else:
        lengths = run_lengths(segmentation, shape).copy()
    lengths = lengths[: lengths.size // 2 * 2]  # without the zeros at the end
    end = int(lengths.sum())
    if not lengths[1::2].any():
        return box_mask(np.zeros((0, 0), np.bool_))
    height = shape[0]
    left = int(lengths[0]) // height
    columns = -(-end // height) - left
    lengths[0] -= left * height
    filled = fill_runs(np.append(lengths, (left + columns) * height - end), (height, columns))
    found = box_mask(filled)
    return BoxMask(found.pixels, found.top, left + found.left)
