"""Where further objects may be: one cell for each, on the maps of likeness."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.proposals.likeness import LikenessMaps

LEAST_LIKENESS = 0.5
"""Cells below this are background."""

MOST_RADII = 3
"""How many typical radii the largest object may have."""

_SMOOTHING = 0.7  # cells


def typical_radius(areas: NDArray[np.float32]) -> float:
    """Return the radius, in cells, of the smaller ones of a label's objects; at least 1."""
    return max(1.0, float(np.sqrt(np.percentile(areas, 25) / np.pi)))


def seed_cells(
    maps: LikenessMaps, taken: NDArray[np.bool_], radius: float, most: int
) -> list[tuple[int, int]]:
    """Return the row and column of a cell in each likely object, the most likely first.

    A seed lies deep inside its object: at a peak of the product of the distance to the background
    and the probability of an object's core. No later one is nearer to it than the radius, or than
    its own distance to the background, where that is larger: a large object gets one seed.

    Args:
        maps: of the image.
        taken: cells where objects are known already.
        radius: of a typical object, in cells.
        most: seeds.
    """
    likely = (maps.objects > LEAST_LIKENESS) & ~taken
    framed = np.pad(likely.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    height = cv2.GaussianBlur(depth * maps.cores, (0, 0), _SMOOTHING)
    height = np.where(likely, height, 0.0)
    side = 2 * int(np.ceil(radius / 2)) + 1
    peaks = (height >= cv2.dilate(height, np.ones((side, side), np.uint8))) & (height > 0)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-height[rows, columns], kind="stable")
    reach = np.clip(depth, radius, MOST_RADII * radius)
    found: list[tuple[int, int]] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if all((row - y) ** 2 + (column - x) ** 2 >= reach[y, x] ** 2 for y, x in found):
            found.append((row, column))
            if len(found) == most:
                break
    return found
