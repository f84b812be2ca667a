"""Traces masks as polygons that fill to the same pixels again.

A pixel is a square, and its centre lies at .5, as in COCO. The outline runs a quarter of a pixel
inside the mask's edge: so pycocotools, which asks for the centres, and OpenCV, which cuts the
decimals off and fills the border too, fill exactly the pixels of the mask.

A polygon has no holes. A hole is joined to the outline by a slit straight up, without width.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
_Grid = npt.NDArray[np.int32]

_FINER = 2
"""The mask is traced at twice its size, through the centres of quarters of pixels."""


@dataclass(frozen=True)
class Outlines:
    """The polygons of a mask, (N, 2) x and y in pixels, and how many holes were joined."""

    polygons: tuple[Points, ...]
    holes: int

    def joined(self) -> Points:
        """Return one polygon of all parts: lines without width lead to each part and back."""
        first, *others = self.polygons
        for part in others:
            nearest = int(np.square(first - part[0]).sum(1).argmin())
            first = _spliced(first, nearest, part)
        return first


def trace(mask: Mask) -> Outlines:
    """Return the outlines of a bool H×W mask; none of an empty one."""
    if not mask.any():
        return Outlines((), 0)
    across, down = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    left, top = int(across[0]), int(down[0])
    inside = mask[top : down[-1] + 1, left : across[-1] + 1]
    fine = inside.repeat(_FINER, 0).repeat(_FINER, 1)
    found, tree = cv2.findContours(fine.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = [contour.reshape(-1, 2) for contour in found]
    parents = tree[0, :, 3]
    polygons, holes = [], 0
    for number in np.flatnonzero(parents < 0):
        inner = [contours[i] for i in np.flatnonzero(parents == number)]
        holes += len(inner)
        ring = _straightened(_with_holes(contours[number], inner, fine))
        polygons.append((ring + 0.5) / _FINER + (left, top))
    return Outlines(tuple(polygons), holes)


def _with_holes(outer: _Grid, holes: list[_Grid], fine: Mask) -> _Grid:
    """Join holes to the outline, from top to bottom: above a hole is the outline or a higher one.

    A slit is vertical, since a vertical line changes no column of what is filled.
    """
    for hole in sorted(holes, key=lambda one: int(one[:, 1].min())):
        start = int(hole[:, 1].argmin())
        x, y = hole[start]
        filled = fine[:y, x][::-1]
        up = int(filled.argmin()) if not filled.all() else int(y)
        edge = np.array([x, y - up], np.int32)
        landing = int(np.flatnonzero((outer == edge).all(1))[0])
        outer = _spliced(outer, landing, np.roll(hole, -start, 0))
    return outer


def _spliced(ring: npt.NDArray[Any], at: int, part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Insert a closed ring into another: from a point of it to the part, around, and back."""
    return np.concatenate([ring[: at + 1], part, part[:1], ring[at:]])


def _straightened(ring: _Grid) -> _Grid:
    """Leave out the points on a straight line between their neighbours."""
    before, after = ring - np.roll(ring, 1, 0), np.roll(ring, -1, 0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(1) < 0  # where a slit ends
    kept: _Grid = ring[turns | back]
    return kept
