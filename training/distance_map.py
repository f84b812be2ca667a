"""Distance maps: how deep inside a region each of its pixels lies."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import ClickSet

Mask = NDArray[np.bool_]
Point = tuple[int, int]
"""(y, x) of a pixel."""


@dataclass(frozen=True)
class DistanceMap:
    """Exact distance of a region's pixels to its outside; off the image counts as outside.

    ``values_hw``, in pixels, covers the region's bounding box, which begins at (``top``, ``left``).
    """

    values_hw: NDArray[np.float32]
    top: int = 0
    left: int = 0

    @classmethod
    def of(cls, region_HW: Mask) -> "DistanceMap":
        """Compute the map of a region; 0×0 if the region is empty."""
        left, top, width, height = cv2.boundingRect(region_HW.view(np.uint8))
        if not width:
            return cls(np.zeros((0, 0), np.float32))
        box_hw = region_HW[top : top + height, left : left + width].view(np.uint8)
        bordered = cv2.copyMakeBorder(box_hw, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        distance = cv2.distanceTransform(bordered, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return cls(distance[1:-1, 1:-1].astype(np.float32, copy=False), top, left)

    @property
    def maximum(self) -> float:
        """The largest distance; 0 for an empty region."""
        return float(self.values_hw.max()) if self.values_hw.size else 0.0

    @property
    def peak(self) -> Point:
        """The (y, x) of the largest distance, the first by row if equal; (0, 0) if all are 0."""
        if self.maximum == 0:
            return 0, 0
        y, x = np.unravel_index(int(self.values_hw.argmax()), self.values_hw.shape)
        return int(y) + self.top, int(x) + self.left

    def draw_above(self, distance: float, count: int, rng: np.random.Generator) -> list[Point]:
        """Draw ``count`` different pixels deeper than ``distance``, or all if there are fewer."""
        points = draw_pixels(self.values_hw > distance, count, rng)
        return [(y + self.top, x + self.left) for y, x in points]

    def without(self, clicks: ClickSet, radius: float) -> "DistanceMap":
        """Return the map with zeros within ``radius`` of each clicked pixel, in pixels."""
        values_hw = self.values_hw.copy()
        height, width = values_hw.shape
        for click in clicks:
            y, x = math.floor(click.y) - self.top, math.floor(click.x) - self.left
            top, left = max(0, int(y - radius)), max(0, int(x - radius))
            bottom, right = min(height, int(y + radius) + 2), min(width, int(x + radius) + 2)
            if top < bottom and left < right:
                ys, xs = np.ogrid[top:bottom, left:right]
                disc = (ys - y) ** 2 + (xs - x) ** 2 <= radius**2
                values_hw[top:bottom, left:right][disc] = 0
        return DistanceMap(values_hw, self.top, self.left)


def draw_pixels(candidates_HW: Mask, count: int, rng: np.random.Generator) -> list[Point]:
    """Draw ``count`` different pixels (y, x) uniformly, or all if there are fewer."""
    flat = np.flatnonzero(candidates_HW)
    if not count or not flat.size:
        return []
    chosen = rng.choice(flat, min(count, flat.size), replace=False)
    ys, xs = np.unravel_index(chosen, candidates_HW.shape)
    return list(zip(ys.tolist(), xs.tolist(), strict=True))
