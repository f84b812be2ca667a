"""How pages store the pixels of a mask: Brush RLE, a PNG, polygons."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

import cv2
import numpy as np

from backend.session.bitmask import Mask
from dynamite import brush_rle, mask_png, polygons

_CROSSING_COST = 20  # where a side crosses a row costs as much as filling this many pixels


class StoredMask(Protocol):
    """Pixels as a page stores them. To add a way, add a class here (docs/extending.md)."""

    @property
    def name(self) -> str:
        """Names the content. The same pixels may have several names."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""

    def cost(self, height: int, width: int) -> int:
        """What drawing it costs beyond its size, in filled pixels, about."""

    def mask(self, height: int, width: int) -> Mask:
        """Return its pixels in an image of that size.

        Raises:
            InvalidInputError: it is damaged, or does not fit the image.
        """


@dataclass(frozen=True)
class _Coded:
    """Pixels in a code that says them all: drawing them costs no more than their number."""

    data: bytes

    @cached_property
    def name(self) -> str:
        """Names the content."""
        return _name(self.data)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return len(self.data)

    def cost(self, height: int, width: int) -> int:  # noqa: ARG002
        """Nothing."""
        return 0


@dataclass(frozen=True)
class BrushRle(_Coded):
    """A Brush RLE stream. Hand-painted strokes have soft edges."""

    def mask(self, height: int, width: int) -> Mask:
        """Return its pixels; see ``StoredMask``."""
        return brush_rle.decode(self.data, (height, width)) > mask_png.SOLID


@dataclass(frozen=True)
class Png(_Coded):
    """A PNG whose alpha is the mask. One of another size is stretched over the image."""

    def mask(self, height: int, width: int) -> Mask:
        """Return its pixels; see ``StoredMask``. It may be smaller than the image, not larger."""
        alpha = mask_png.decode(self.data, height * width)
        if alpha.shape != (height, width):
            scaled = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_NEAREST)
            alpha = np.asarray(scaled, np.uint8)
        return alpha > mask_png.SOLID


Ring = tuple[tuple[float, float], ...]
"""Corners, as x and y in fractions of the image's width and height."""


@dataclass(frozen=True)
class Polygons:
    """The parts of an object, each a ring of corners."""

    rings: tuple[Ring, ...]

    @cached_property
    def name(self) -> str:
        """Names the content."""
        return _name(repr(self.rings).encode())

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return 100 * sum(map(len, self.rings))

    def cost(self, height: int, width: int) -> int:
        """By the rows that its sides cross."""
        return _CROSSING_COST * sum(map(polygons.crossings, self.in_pixels(height, width)))

    def mask(self, height: int, width: int) -> Mask:
        """Return its pixels; see ``StoredMask``."""
        return polygons.fill(self.in_pixels(height, width), (height, width))

    def in_pixels(self, height: int, width: int) -> list[polygons.Ring]:
        """Return its rings in pixels of an image of that size."""
        return [
            np.asarray(ring, np.float64).reshape(-1, 2) * (width, height) for ring in self.rings
        ]


def _name(content: bytes) -> str:
    return blake2b(content, digest_size=12).hexdigest()
