"""Masks cut to their bounding box, so that hundreds of objects of a photo fit into memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.masks import Mask, decompress, fill_runs, run_lengths, to_rle


@dataclass(frozen=True)
class BoxMask:
    """``pixels``, bool h×w and possibly all false, placed at (``top``, ``left``) of the image."""

    pixels: Mask
    top: int
    left: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the box in the image."""
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(np.count_nonzero(self.pixels))

    def without(self, other_HW: Mask) -> "BoxMask":
        """Return the mask without the pixels of ``other_HW``, a mask of the whole image."""
        return BoxMask(self.pixels & ~other_HW[self.window], self.top, self.left)


def box_mask(mask_HW: Mask) -> BoxMask:
    """Cut a mask of the whole image to its box; 0×0 if the mask is empty."""
    columns = np.flatnonzero(mask_HW.any(axis=0))
    if not columns.size:
        return BoxMask(np.zeros((0, 0), np.bool_), 0, 0)
    left, right = int(columns[0]), int(columns[-1]) + 1
    rows = np.flatnonzero(mask_HW[:, left:right].any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    # Copied, because a view would keep the whole mask in memory.
    return BoxMask(mask_HW[top:bottom, left:right].copy(), top, left)


def decode_box(segmentation: Any, shape: tuple[int, int]) -> BoxMask:
    """Decode any COCO segmentation of an image of this shape (H, W).

    Only the columns that the mask covers are allocated.

    Raises:
        MaskError: the segmentation is not a mask of that shape.
    """
    if isinstance(segmentation, list):
        lengths = decompress(to_rle(segmentation, shape)["counts"])
    else:
        lengths = run_lengths(segmentation, shape).copy()
    lengths = lengths[: lengths.size // 2 * 2]  # drop the final run of zeros
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
