"""Masks of one image, eight pixels to the byte, and how painted ones become that."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

OBJECT_BYTES = 300
"""Of a mask without its pixels."""


@dataclass(frozen=True, eq=False)
class BitMask:
    """An H×W mask that does not change.

    Only the ``box`` around its pixels (top, left, rows, columns) is kept: of a large photo with
    hundreds of small objects that is a hundredth of their frames.
    """

    bits: bytes
    height: int
    width: int
    box: tuple[int, int, int, int]

    @classmethod
    def of(cls, mask: Mask) -> "BitMask":
        """Pack an H×W bool array."""
        height, width = mask.shape
        left, top, columns, rows = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
        inside = mask[top : top + rows, left : left + columns]
        return cls(np.packbits(inside).tobytes(), height, width, (top, left, rows, columns))

    @cached_property
    def digest(self) -> str:
        """A name for its pixels: equal masks have equal names."""
        frame = repr((self.height, self.width, self.box)).encode()
        return blake2b(frame + self.bits, digest_size=12).hexdigest()

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return OBJECT_BYTES + len(self.bits)

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the box in an H×W array."""
        top, left, rows, columns = self.box
        return slice(top, top + rows), slice(left, left + columns)

    def inside(self) -> Mask:
        """Return the part of the mask in its box, an array of its own."""
        _, _, rows, columns = self.box
        flat = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=rows * columns)
        return flat.view(np.bool_).reshape(rows, columns)

    def array(self) -> Mask:
        """Return the mask as an H×W bool array of its own."""
        mask: Mask = np.zeros((self.height, self.width), np.bool_)
        mask[self.window] = self.inside()
        return mask

    def sized(self, height: int, width: int) -> Mask:
        """Return the mask for an image of another size, scaled without smoothing."""
        mask = self.array()
        if mask.shape == (height, width):
            return mask
        scaled = cv2.resize(
            mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
        return np.asarray(scaled, np.uint8).view(np.bool_)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of its box, as fractions of the image."""
        top, left, rows, columns = self.box
        right, bottom = (left + columns) / self.width, (top + rows) / self.height
        return left / self.width, top / self.height, right, bottom

    def contains(self, x: float, y: float) -> bool:
        """Whether the pixel at fractions ``x``, ``y`` of the image is in the mask."""
        top, left, rows, columns = self.box
        column = min(max(int(x * self.width), 0), self.width - 1) - left
        row = min(max(int(y * self.height), 0), self.height - 1) - top
        if not (0 <= row < rows and 0 <= column < columns):
            return False
        index = row * columns + column
        return bool(self.bits[index >> 3] >> (7 - (index & 7)) & 1)


def union(masks: Iterable[BitMask], height: int, width: int) -> Mask:
    """Return all pixels of ``masks`` together, for an image of ``height`` × ``width``."""
    together: Mask = np.zeros((height, width), np.bool_)
    for mask in masks:
        if (mask.height, mask.width) == (height, width):
            together[mask.window] |= mask.inside()
        else:
            together |= mask.sized(height, width)
    return together
