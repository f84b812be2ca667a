"""Traces masks as polygons, and fills polygons as masks.

Positions are in pixels: the centre of the first pixel is at (0.5, 0.5). A ring is a (P, 2) array of
x, y; its last point is joined to its first.

A ring runs a quarter of a pixel inside the outermost pixels, so it never touches itself, even
around parts that are one pixel wide. Traced without tolerance, it fills exactly its own pixels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from dynamite.errors import InvalidInputError

GRID = 64
"""Rings are rounded to this fraction of a pixel, so that a ring that was written as text, in
percent of an image, fills the same pixels when it is read."""

MAX_CROSSINGS = 2**22
"""Most times that the sides of a ring may cross rows of an image: a zigzag of 100 kB could cross
more than a server has memory for."""

MAX_PARTS = 100
"""Most rings of one mask: the largest parts."""

Mask = npt.NDArray[np.bool_]
Ring = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Traced:
    """A mask as polygons.

    Attributes:
        rings: one for each part (4-connected), the largest part first; none crosses itself. Specks
            that lie within the tolerance of their own middle have none, but for the largest part.
        holes: how many holes they fill, because a polygon has none.
        filled: the pixels of these holes.
        lost: the pixels of parts beyond ``MAX_PARTS``.
    """

    rings: tuple[Ring, ...]
    holes: int = 0
    filled: int = 0
    lost: int = 0


def trace(mask: Mask, tolerance: float = 0.0) -> Traced:
    """Return a mask as polygons.

    Args:
        mask: (H, W) bool.
        tolerance: how far a ring may lie from the edge of the mask, in pixels. Where a ring would
            cross itself, it is followed more closely.
    """
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    found = np.ascontiguousarray(mask[top : top + height, left : left + width])
    parts = _parts(found, 2 * tolerance)
    rings, holes, filled = [], 0, 0
    for x, y, area, own in islice(parts, MAX_PARTS):
        outer, inner = _contours(own)
        rings.append(_ring(outer, tolerance) + np.array([left + x, top + y]))
        if inner:
            holes += inner
            filled += (
                int(np.count_nonzero(fill([in_pixels(outer)], (own.shape[0], own.shape[1])))) - area
            )
    return Traced(tuple(rings), holes, filled, sum(area for _, _, area, _ in parts))


def fill(rings: Iterable[Ring], shape: tuple[int, int]) -> Mask:
    """Return the pixels whose centre lies in one of the rings, an (H, W) mask.

    Where a ring crosses itself, what it goes around counts as inside, as on a browser's canvas.
    Rings may reach beyond the image.

    Raises:
        InvalidInputError: a ring crosses rows more than ``MAX_CROSSINGS`` times.
    """
    height, width = shape
    mask: Mask = np.zeros(shape, np.bool_)
    for given in rings:
        ring = np.round(np.asarray(given, np.float64) * GRID) / GRID
        top, bottom = _rows(ring[:, 1], height)
        left, right = _rows(ring[:, 0], width)
        if len(ring) < 3 or top >= bottom or left >= right:
            continue
        if (count := crossings(ring)) > MAX_CROSSINGS:
            raise InvalidInputError(
                f"a polygon of {len(ring)} corners crosses the rows of the image {count} times, "
                f"more than {MAX_CROSSINGS}: simplify it"
            )
        turns = np.zeros((bottom - top, right - left + 1), np.int16)
        rows, columns, signs = _crossings(ring - (left, top), bottom - top, right - left)
        np.add.at(turns, (rows, columns), signs)
        mask[top:bottom, left:right] |= np.cumsum(turns[:, :-1], axis=1, dtype=np.int16) != 0
    return mask


def doubled(mask: Mask) -> npt.NDArray[np.uint8]:
    """Return a mask at twice its size, so that no part of it is one pixel wide."""
    height, width = mask.shape
    same = np.ascontiguousarray(mask).view(np.uint8)
    double = cv2.resize(same, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(double, np.uint8)


def in_pixels(contour: npt.NDArray[np.int32]) -> Ring:
    """Return a contour of a doubled mask in pixels of the mask: a quarter inside its edge."""
    return (contour.reshape(-1, 2) + 0.5) / 2


def crossings(ring: Ring) -> int:
    """Return how often the sides of a ring cross rows, about: what filling it costs."""
    return int(np.abs(np.diff(ring[:, 1], append=ring[:1, 1])).sum()) + len(ring)


def crosses_itself(ring: Ring) -> bool:
    """Whether two sides of a ring that are not neighbours meet, or neighbours fold back."""
    ends = np.roll(ring, -1, axis=0)
    low, high = np.minimum(ring, ends), np.maximum(ring, ends)
    order = np.argsort(low[:, 0], kind="stable")
    # Sides that begin, from left to right, before this one ends.
    until = np.searchsorted(low[order, 0], high[order, 0], side="right")
    place = np.arange(len(ring))
    counts = np.maximum(until - place - 1, 0)
    first = np.repeat(place, counts)
    second = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first + 1
    a, b = order[first], order[second]
    near = (low[a, 1] <= high[b, 1]) & (low[b, 1] <= high[a, 1])
    a, b = a[near], b[near]
    gap = np.abs(a - b)
    neighbours = (gap == 1) | (gap == len(ring) - 1)
    return bool(np.any(_meet(ring, ends, a[~neighbours], b[~neighbours])) or _folds(ring))


def _parts(inside: Mask, speck: float) -> Iterator[tuple[int, int, int, Mask]]:
    """Yield left, top, pixels and mask of each 4-connected part, the largest first.

    After it, only parts that are higher or wider than ``speck`` pixels.
    """
    found, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(found) == 1 and not _has_corner_contacts(inside):  # most masks: labels cost five times
        yield 0, 0, int(np.count_nonzero(inside)), inside
        return
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=4)
    for place, part in enumerate(np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable") + 1):
        x, y, width, height, area = (int(value) for value in stats[part])
        if place and max(width, height) <= speck:
            continue
        yield x, y, area, labels[y : y + height, x : x + width] == part


def _has_corner_contacts(mask: Mask) -> bool:
    """Whether two pixels of a mask touch at a corner only."""
    a, b, c, d = mask[:-1, :-1], mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]
    return bool(((a ^ b) & (a ^ c) & (b ^ d)).any())


def _meet(starts: Ring, ends: Ring, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> Mask:
    """Whether sides ``a`` and ``b``, whose boxes overlap, have a point in common."""
    one = _side(starts[a], ends[a], starts[b]) * _side(starts[a], ends[a], ends[b]) <= 0
    two = _side(starts[b], ends[b], starts[a]) * _side(starts[b], ends[b], ends[a]) <= 0
    return one & two


def _side(start: Ring, end: Ring, point: Ring) -> npt.NDArray[np.float64]:
    """Return on which side of a line a point lies, by sign; exact on the grid."""
    along, to = end - start, point - start
    return np.sign(along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0])


def _folds(ring: Ring) -> bool:
    """Whether a side goes back over the one before it, or has no length."""
    along = np.roll(ring, -1, axis=0) - ring
    before = np.roll(along, 1, axis=0)
    straight = along[:, 0] * before[:, 1] == along[:, 1] * before[:, 0]
    return bool(np.any(straight & ((along * before).sum(1) <= 0)))


def _contours(part: Mask) -> tuple[npt.NDArray[np.int32], int]:
    """Return the outer contour of one part at twice its size, and how many holes it has."""
    found, tree = cv2.findContours(doubled(part), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [index for index, node in enumerate(tree[0]) if node[3] < 0]
    longest = max(outer, key=lambda index: len(found[index]))
    return np.asarray(found[longest], np.int32), len(found) - len(outer)


def _ring(contour: npt.NDArray[np.int32], tolerance: float) -> Ring:
    """Return a simplified contour that does not cross itself."""
    allowed = 2 * tolerance
    while allowed > 0.5:
        simple = cv2.approxPolyDP(contour, allowed, True)
        if len(simple) >= 3 and not crosses_itself(ring := in_pixels(np.asarray(simple, np.int32))):
            return ring
        allowed /= 2
    return in_pixels(contour)


def _rows(values: npt.NDArray[np.float64], size: int) -> tuple[int, int]:
    """Return the first row whose centre may be inside, and the one after the last."""
    if not len(values):
        return 0, 0
    first, last = np.clip([np.floor(values.min()), np.ceil(values.max())], 0, size)
    return int(first), int(last)


def _crossings(
    ring: Ring, height: int, width: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int16]]:
    """Return where the sides of a ring cross the centre lines of rows: row, column, direction.

    From that column on, the centres lie to the right of the side.
    """
    starts, ends = ring, np.roll(ring, -1, axis=0)
    (x0, y0), (x1, y1) = starts.T, ends.T
    upper, lower = np.minimum(y0, y1), np.maximum(y0, y1)
    # Rows whose centre line, at row + 0.5, lies in [upper, lower).
    first = np.clip(np.ceil(upper - 0.5), 0, height).astype(np.intp)
    last = np.clip(np.ceil(lower - 0.5), 0, height).astype(np.intp)
    counts = last - first
    side = np.repeat(np.arange(len(ring)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[side]
    steps = (rows + 0.5 - y0[side]) / (y1 - y0)[side]
    x = x0[side] + steps * (x1 - x0)[side]
    columns = np.clip(np.ceil(x - 0.5), 0, width).astype(np.intp)
    signs = np.where(y1 > y0, 1, -1).astype(np.int16)[side]
    return rows, columns, signs
