"""Painted masks: Brush RLE and the strokes drawn over it. Positions are fractions of the image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import cv2
import numpy as np
import numpy.typing as npt

from backend.session.bitmask import BitMask, Mask
from backend.session.regions import Region
from backend.session.sampling import interior_points
from dynamite import brush_rle
from dynamite.errors import InvalidInputError

MAX_CLICKS = 12
"""Most clicks of one stroke."""

SPACING = 0.05
"""Distance between two clicks along a stroke, in image diagonals."""

_SOLID = 127  # alpha above which an antialiased pixel counts
_SUBPIXEL_BITS = 4
_MAX_THICKNESS = 32_767  # OpenCV's limit
_LINE_COST = 200  # a pixel of a line's length costs as much as filling this many
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of a brush or eraser: its points, and its width in image widths."""

    points: tuple[tuple[float, float], ...]
    width: float
    erases: bool = False

    def clicks(self, height: int, width: int) -> list[tuple[float, float]]:
        """Positions along the stroke, equally far apart, at most ``MAX_CLICKS``.

        Resampled by arc length, so that only the shape counts and not the speed of the mouse.
        """
        points = self.pixels(height, width)
        steps = np.hypot(*np.diff(points, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        spacing = SPACING * float(np.hypot(height, width))
        count = min(int(along[-1] / spacing + 1e-6) + 1, MAX_CLICKS)
        # A short stroke is one click at its middle. A longer one starts half a step inside.
        at = (np.arange(count) + 0.5) * along[-1] / count
        x, y = np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])
        return [(float(a) / width, float(b) / height) for a, b in zip(x, y, strict=True)]

    def pixels(self, height: int, width: int) -> Points:
        """Its points (P, 2) as x, y in pixels of a ``height`` × ``width`` image."""
        points: Sequence[tuple[float, float]] = self.points
        return np.asarray(points, np.float64) * (width, height)

    def thickness(self, width: int) -> int:
        """Its width in pixels of an image that is ``width`` pixels wide."""
        return min(max(round(self.width * width), 1), _MAX_THICKNESS)

    def cost(self, height: int, width: int) -> int:
        """What drawing it costs, in filled pixels, about; a segment fills the image at most."""
        lengths = np.hypot(*np.diff(self.pixels(height, width), axis=0).T)
        thickness = self.thickness(width)
        filled = np.minimum((lengths + thickness) * thickness, height * width)
        lines = np.minimum(lengths, height + width) * _LINE_COST
        return int(filled.sum() + lines.sum()) + _LINE_COST * len(self.points)


@dataclass(frozen=True)
class Paint(Region):
    """A mask on the page: Brush RLE with strokes drawn over it, or strokes alone.

    It is an accepted object, a person's painting, or, drawn with a smart brush, a prompt.
    ``labels`` are all its labels; ``label`` is the first.
    """

    height: int
    width: int
    rle: bytes = b""
    strokes: tuple[Stroke, ...] = ()
    labels: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """A name for its pixels: equal masks have equal names."""
        if not self.strokes:
            return digest(self.rle)
        return digest(self.rle + repr((self.height, self.width, self.strokes)).encode())

    @property
    def is_strokes_only(self) -> bool:
        """Whether it has strokes and no pixels yet."""
        return bool(self.strokes) and not self.rle

    @property
    def drawing_cost(self) -> int:
        """What drawing its strokes costs, in filled pixels, about."""
        return sum(stroke.cost(self.height, self.width) for stroke in self.strokes)

    def decode(self) -> BitMask:
        """Its pixels; none where its stream is damaged."""
        shape = (self.height, self.width)
        mask: Mask = np.zeros(shape, np.bool_)
        if self.rle:
            try:
                mask = brush_rle.decode(self.rle, shape) > _SOLID
            except InvalidInputError:
                mask = np.zeros(shape, np.bool_)
        return BitMask.of(draw(mask, self.strokes))

    def clicks(self, mask: BitMask) -> list[tuple[float, float]]:
        """Clicks that stand for it: along its strokes, else deep inside ``mask``, its pixels."""
        if not self.is_strokes_only:
            return interior_points(mask.array())
        along = [
            click
            for stroke in self.strokes
            if not stroke.erases
            for click in stroke.clicks(self.height, self.width)
        ]
        return [(x, y) for x, y in along if mask.contains(x, y)]


def digest(rle: bytes) -> str:
    """A name for the pixels of a Brush RLE stream."""
    return blake2b(rle, digest_size=12).hexdigest()


def draw(mask_HW: Mask, strokes: Iterable[Stroke]) -> Mask:
    """Draw strokes over a mask in order, erasers taking away; a new array."""
    height, width = mask_HW.shape
    canvas = mask_HW.astype(np.uint8)
    for stroke in strokes:
        points = stroke.pixels(height, width) - 0.5  # OpenCV counts from the middle of a pixel
        path = np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32).reshape(-1, 1, 2)
        value = 0 if stroke.erases else 1
        thickness = stroke.thickness(width)
        cv2.polylines(canvas, [path], False, value, thickness, cv2.LINE_8, _SUBPIXEL_BITS)
    return canvas.view(np.bool_)
