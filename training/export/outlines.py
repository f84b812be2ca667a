"""Traces masks as polygons that fill to the same pixels again.

A pixel is a square, and its centre lies at .5, as in COCO. The outline runs a quarter of a pixel
inside the mask's edge: so pycocotools, which asks for the centres, and OpenCV, which cuts the
decimals off and fills the border too, fill exactly the pixels of the mask.

A polygon has no holes. A hole is joined to the outline by a slit straight up, without width.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from dynamite import polygons

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
_Grid = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Outlines:
    """The polygons of a mask, (N, 2) x and y in pixels, and how many holes were joined."""

    polygons: tuple[Points, ...]
    holes: int

    def joined(self) -> Points:
        """Return one polygon of all parts: lines without width lead to each part and back."""
        longest = max(self.polygons, key=len)
        others = [part for part in self.polygons if part is not longest]
        places = [int(np.square(longest - part[0]).sum(1).argmin()) for part in others]
        pieces, done = [], 0
        for number in np.argsort(places, kind="stable"):
            part, place = others[number], places[number]
            pieces += [longest[done : place + 1], part, part[:1]]
            done = place
        return np.concatenate([*pieces, longest[done:]])


@dataclass(frozen=True)
class _Joint:
    """A hole that is joined to point ``at`` of a contour, by its own point ``start``."""

    at: int
    hole: int
    start: int


@dataclass
class _Walk:
    """A contour on the way around it: the joints to come, the last one first, and what is done."""

    ring: _Grid
    joints: list[_Joint]
    done: int = 0


def trace(mask: Mask) -> Outlines:
    """Return the outlines of a bool H×W mask; none of an empty one."""
    if not mask.any():
        return Outlines((), 0)
    across, down = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    left, top = int(across[0]), int(down[0])
    inside = mask[top : down[-1] + 1, left : across[-1] + 1]
    fine = polygons.doubled(inside)
    found, tree = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours: list[_Grid] = [np.asarray(one, np.int32).reshape(-1, 2) for one in found]
    parents: _Grid = np.asarray(tree[0, :, 3], np.int32)
    joints = _joints(contours, parents, fine > 0)
    rings = [
        _straightened(_assembled(i, contours, joints)) for i in np.flatnonzero(parents < 0).tolist()
    ]
    placed = tuple(polygons.in_pixels(ring) + np.array([left, top]) for ring in rings)
    return Outlines(placed, int(np.count_nonzero(parents >= 0)))


def _joints(contours: list[_Grid], parents: _Grid, fine: Mask) -> dict[int, list[_Joint]]:
    """Find where each hole is joined to what lies above it, by a slit that is vertical.

    A vertical line changes no column of what is filled. Above a hole is the outline of its part, or
    a hole that begins higher: so nothing is joined to itself.

    Returns:
        For a contour the holes that are joined to it.
    """
    points = np.concatenate(contours)
    width = fine.shape[1]
    keys, firsts = np.unique(points[:, 1] * width + points[:, 0], return_index=True)
    begins = np.cumsum([0, *map(len, contours)])
    found: dict[int, list[_Joint]] = {}
    for hole in np.flatnonzero(parents >= 0):
        start = int(contours[hole][:, 1].argmin())
        x, y = contours[hole][start]
        above = fine[:y, x][::-1]
        up = int(y) if above.all() else int(above.argmin())
        place = int(firsts[np.searchsorted(keys, (y - up) * width + x)])
        owner = int(np.searchsorted(begins, place, side="right")) - 1
        found.setdefault(owner, []).append(_Joint(place - int(begins[owner]), int(hole), start))
    return found


def _assembled(outer: int, contours: list[_Grid], joints: dict[int, list[_Joint]]) -> _Grid:
    """Go around an outline, and at each joint around the hole, and back."""
    pieces = []
    path = [_Walk(contours[outer], _in_order(joints.get(outer, []), 0, 0))]
    while path:
        walk = path[-1]
        if walk.joints:
            joint = walk.joints.pop()
            pieces.append(walk.ring[walk.done : joint.at + 1])
            walk.done = joint.at
            ring = contours[joint.hole]
            own = _in_order(joints.get(joint.hole, []), joint.start, len(ring))
            path.append(_Walk(np.roll(ring, -joint.start, 0), own))
        else:
            pieces.append(walk.ring[walk.done :])
            path.pop()
            if path:
                pieces.append(walk.ring[:1])
    return np.concatenate(pieces)


def _in_order(joints: list[_Joint], start: int, length: int) -> list[_Joint]:
    """Return joints of a ring that was turned to begin at ``start``, the last one first."""
    turned = [replace(one, at=(one.at - start) % length if length else one.at) for one in joints]
    return sorted(turned, key=lambda one: -one.at)


def _straightened(ring: _Grid) -> _Grid:
    """Leave out the points on a straight line between their neighbours."""
    before, after = ring - np.roll(ring, 1, 0), np.roll(ring, -1, 0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(1) < 0  # where a slit ends
    kept: _Grid = ring[turns | back]
    return kept
