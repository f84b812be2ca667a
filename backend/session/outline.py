"""A polygon drawn around an object, to ask for its mask."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from backend.session.bitmask import BitMask, Mask
from backend.session.prompts import MARGIN, Position, Prompt
from backend.session.sampling import interior_points
from backend.session.stored_masks import Polygons
from dynamite import polygons

_SIDE = 256  # pixels of the frame in which its clicks are chosen


@dataclass(frozen=True)
class Outline(Prompt):
    """A polygon around an object. Its mask stays inside."""

    outlines: ClassVar[bool] = True

    shape: Polygons

    @property
    def place(self) -> tuple[float, ...]:
        """All corners."""
        return tuple(value for ring in self.shape.rings for corner in ring for value in corner)

    @property
    def anchor(self) -> Position:
        """Its deepest point."""
        return self.clicks()[0]

    def clicks(self) -> list[Position]:
        """Return points deep inside and far apart; the middle of its corners if it has no area."""
        return list(self._interior)

    def clicks_around(self) -> list[Position]:
        """Return one position beyond the middle of each side of the box around it."""
        left, top, right, bottom = self.bounds()
        x, y = (left + right) / 2, (top + bottom) / 2
        across, down = MARGIN * (right - left), MARGIN * (bottom - top)
        return [(left - across, y), (right + across, y), (x, top - down), (x, bottom + down)]

    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the upright box around it."""
        (left, top), (right, bottom) = self._corners.min(0), self._corners.max(0)
        return float(left), float(top), float(right), float(bottom)

    def contains(self, x: float, y: float) -> bool:
        """Whether a position lies inside, to a thousandth of the image."""
        return self._frame.contains(x, y) if 0 <= x <= 1 and 0 <= y <= 1 else False

    def clip(self, mask_HW: Mask) -> Mask:
        """Return the part of a mask inside the polygon; a new array."""
        return mask_HW & self.shape.mask(*mask_HW.shape)

    @cached_property
    def _corners(self) -> polygons.Ring:
        return np.array([corner for ring in self.shape.rings for corner in ring])

    @cached_property
    def _frame(self) -> BitMask:
        return BitMask.of(self.shape.mask(1024, 1024))

    @cached_property
    def _interior(self) -> list[Position]:
        found = interior_points(self.shape.mask(_SIDE, _SIDE))
        x, y = self._corners.mean(0)
        return found or [(float(x), float(y))]
