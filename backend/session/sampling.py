"""Clicks that stand for a mask when its own clicks are unknown."""

import cv2
import numpy as np

from backend.session.bitmask import Mask

MAX_POINTS = 6
_WORKING_SIDE = 256  # pixels of the longer side; points need no more precision


def interior_points(mask: Mask) -> list[tuple[float, float]]:
    """Return up to ``MAX_POINTS`` points deep inside an H×W mask and far apart, as fractions.

    The deepest point comes first. Each further one is the farthest from those before it; sampling
    stops when that distance falls below the mask's width. An empty mask has none.
    """
    if not mask.any():
        return []
    small = _shrunk(mask)
    padded = np.pad(small, 1)  # the border of the image is a border of the mask
    depth = cv2.distanceTransform(padded.view(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= 0.5 * depth.max())
    deepest = int(np.argmax(depth[rows, columns]))
    chosen = [deepest]
    distance = np.hypot(rows - rows[deepest], columns - columns[deepest])
    while len(chosen) < MAX_POINTS and distance.max() > 2 * depth.max():
        farthest = int(np.argmax(distance))
        chosen.append(farthest)
        away = np.hypot(rows - rows[farthest], columns - columns[farthest])
        distance = np.minimum(distance, away)
    h, w = small.shape
    return [((columns[i] + 0.5) / w, (rows[i] + 0.5) / h) for i in map(int, chosen)]


def _shrunk(mask: Mask) -> Mask:
    step = max(1, -(-max(mask.shape) // _WORKING_SIDE))
    small = np.ascontiguousarray(mask[step // 2 :: step, step // 2 :: step])
    return small if small.any() else mask
