"""Masks on a page: stored pixels, strokes drawn over them. Positions are fractions of the image."""

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
from backend.session.stored_masks import StoredMask
from dynamite.errors import InvalidInputError

MAX_PIXELS = 2**28
"""Pixels of the largest mask decoded: a region of a few bytes can claim more than a server's
memory."""

MAX_CLICKS = 12
"""Most clicks of one stroke."""

SPACING = 0.05
"""Distance between two clicks along a stroke, in image diagonals."""

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
    """A mask on the page: stored pixels with strokes drawn over them, or strokes alone.

    It is an accepted object, a person's painting, or, drawn with a smart brush, a prompt.
    ``labels`` are all its labels; ``label`` is the first. ``parts`` are the ids of the regions that
    it is made of, where they are more than one or have other ids than it.
    """

    height: int
    width: int
    stored: StoredMask | None = None
    strokes: tuple[Stroke, ...] = ()
    labels: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @cached_property
    def name(self) -> str:
        """A name for what it is drawn from. Equal masks may have several."""
        content = (self.stored and self.stored.name, self.strokes)
        return blake2b(repr(content).encode(), digest_size=12).hexdigest()

    @property
    def nbytes(self) -> int:
        """Bytes of memory of its stored pixels, about."""
        return self.stored.nbytes if self.stored else 0

    @property
    def is_strokes_only(self) -> bool:
        """Whether it has strokes and no pixels yet."""
        return bool(self.strokes) and self.stored is None

    @property
    def drawing_cost(self) -> int:
        """What drawing it costs beyond its size, in filled pixels, about."""
        stored = self.stored.cost(self.height, self.width) if self.stored else 0
        return stored + sum(stroke.cost(self.height, self.width) for stroke in self.strokes)

    def decode(self) -> BitMask:
        """Its pixels; none where what is stored is damaged."""
        try:
            return BitMask.of(self.pixels())
        except InvalidInputError:
            return BitMask.of(draw(np.zeros((self.height, self.width), np.bool_), self.strokes))

    def pixels(self) -> Mask:
        """Return its H×W mask.

        Raises:
            InvalidInputError: what is stored is damaged.
        """
        if self.height * self.width > MAX_PIXELS:
            raise InvalidInputError(
                f"cannot decode a mask of {self.height}×{self.width} pixels: up to {MAX_PIXELS} "
                "are allowed"
            )
        if self.stored is None:
            mask: Mask = np.zeros((self.height, self.width), np.bool_)
        else:
            mask = self.stored.mask(self.height, self.width)
        return draw(mask, self.strokes) if self.strokes else mask

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
