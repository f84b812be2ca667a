"""Brush strokes as pixels, and as clicks that do not depend on how fast the hand moved."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from backend.session.bitmask import Mask
from backend.session.call import Stroke

MAX_CLICKS = 12
"""Most clicks of one stroke."""
SPACING = 0.05
"""Distance of two clicks along a stroke, in image diagonals."""

_SUBPIXEL_BITS = 4
_THICKEST = 32_767  # OpenCV's limit
Points = npt.NDArray[np.float64]


def paint(mask: Mask, strokes: Iterable[Stroke]) -> Mask:
    """``mask`` (H×W) with the strokes drawn over it in order, erasers taking away; a new array."""
    height, width = mask.shape
    canvas = mask.astype(np.uint8)
    for stroke in strokes:
        points = _pixels(stroke, height, width)
        path = np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32).reshape(-1, 1, 2)
        thickness = min(max(round(stroke.width * width), 1), _THICKEST)
        value = 0 if stroke.erases else 1
        cv2.polylines(canvas, [path], False, value, thickness, cv2.LINE_8, _SUBPIXEL_BITS)
    return canvas.view(np.bool_)


def clicks(stroke: Stroke, height: int, width: int) -> list[tuple[float, float]]:
    """Points along a stroke, equally far apart, at most ``MAX_CLICKS``; in fractions.

    Resampled by arc length, so only the shape of the stroke counts, not the speed of the mouse.
    """
    points = _pixels(stroke, height, width)
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    spacing = SPACING * float(np.hypot(height, width))
    count = min(int(along[-1] / spacing + 1e-6) + 1, MAX_CLICKS)
    # a short stroke is one click at its middle, a longer one starts and ends half a step inside
    at = (np.arange(count) + 0.5) * along[-1] / count
    x, y = np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])
    return [(float(a) / width, float(b) / height) for a, b in zip(x, y, strict=True)]


def _pixels(stroke: Stroke, height: int, width: int) -> Points:
    points: Sequence[tuple[float, float]] = stroke.points
    return np.asarray(points, np.float64) * (width, height)
