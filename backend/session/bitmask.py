"""Masks of one image, eight pixels to the byte, and how painted ones become that."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BitMask:
    """An H×W mask that does not change."""

    bits: bytes
    height: int
    width: int

    @classmethod
    def of(cls, mask: Mask) -> "BitMask":
        """Pack an H×W bool array."""
        height, width = mask.shape
        return cls(np.packbits(mask).tobytes(), height, width)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return len(self.bits)

    def array(self) -> Mask:
        """The mask as an H×W bool array of its own."""
        count = self.height * self.width
        flat = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=count)
        return flat.view(np.bool_).reshape(self.height, self.width)

    def sized(self, height: int, width: int) -> Mask:
        """The mask for an image of another size, scaled without smoothing."""
        mask = self.array()
        if mask.shape == (height, width):
            return mask
        scaled = cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(scaled, np.uint8).view(np.bool_)

    def contains(self, x: float, y: float) -> bool:
        """Whether the pixel at fractions ``x``, ``y`` of the image is in the mask."""
        column = min(max(int(x * self.width), 0), self.width - 1)
        row = min(max(int(y * self.height), 0), self.height - 1)
        index = row * self.width + column
        return bool(self.bits[index >> 3] >> (7 - (index & 7)) & 1)


def union(masks: Iterable[BitMask], height: int, width: int) -> Mask:
    """All pixels of ``masks`` together, for an image of ``height`` × ``width``."""
    together = np.zeros(-(-height * width // 8), np.uint8)
    for mask in masks:
        if (mask.height, mask.width) == (height, width):
            together |= np.frombuffer(mask.bits, np.uint8)
        else:
            together |= np.packbits(mask.sized(height, width))
    return BitMask(together.tobytes(), height, width).array()
