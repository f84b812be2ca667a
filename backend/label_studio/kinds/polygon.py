"""Polygon regions: the corners of one connected part, in percent of the image."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backend.label_studio.kinds.kind import Form, Read, Rings, Value
from backend.label_studio.raw_values import FAR, Raw, RegionError, corner, shown
from backend.session.bitmask import Mask
from backend.session.stored_masks import Polygons
from dynamite import polygons
from dynamite.polygons import Ring, Traced

MAX_CORNERS = 100_000
"""More corners take seconds to fill, and no person draws them."""


class Polygon:
    """The parts of a mask without their holes, as outlines that are easy to drag."""

    name = "Polygon"
    verb = "Outline"
    since = ""
    remark = "holes of masks are filled, and edges lie up to DYNAMITE_POLYGON_TOLERANCE pixels off"
    keys = ("points",)

    def form(self, mask: Mask, tolerance: float, known: Rings = ()) -> Form:
        """Return a mask as one polygon for each part."""
        return outlined(mask, tolerance, known, _value)

    def read(self, value: Raw) -> Read:
        """Read a polygon; it counts as closed."""
        points = value["points"]
        if not isinstance(points, list):
            raise RegionError(f"its points are {shown(points)}, not a list")
        return polygon(points, _corner), ()


def outlined(mask: Mask, tolerance: float, known: Rings, value: Callable[[Ring], Value]) -> Form:
    """Return a mask as outlines, each written by ``value`` from its corners in percent."""
    height, width = mask.shape
    if known and np.array_equal(polygons.fill(known, (height, width)), mask):
        traced = Traced(known)
    else:
        traced = polygons.trace(mask, tolerance)
    return Form(
        polygons.fill(traced.rings, (height, width)),
        tuple(value(ring / (width, height) * 100) for ring in traced.rings),
        traced.rings,
        value,
        _lost(traced),
    )


def polygon(raw: Sequence[Any], read: Callable[[Any], tuple[float, float]]) -> Polygons:
    """Return the polygon with these corners, each read by ``read``.

    Raises:
        RegionError: it has fewer than three corners, or more than ``MAX_CORNERS``.
    """
    if len(raw) < 3:
        raise RegionError(f"it has {len(raw)} corners, and no area")
    if len(raw) > MAX_CORNERS:
        raise RegionError(f"it has {len(raw)} corners, more than {MAX_CORNERS}")
    return Polygons((tuple(map(read, raw)),))


def _value(ring: Ring) -> Value:
    return {"points": ring.tolist(), "closed": True}


def _corner(raw: object) -> tuple[float, float]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise RegionError(f"one of its points is {shown(raw)}, not [x, y]")
    return corner(raw[0], raw[1], FAR)


def _lost(traced: Traced) -> str:
    lost = []
    if traced.holes:
        holes = "a hole" if traced.holes == 1 else f"{traced.holes} holes"
        lost.append(f"{holes} of {traced.filled} pixels filled")
    if traced.lost:
        lost.append(f"{traced.lost} pixels left out, beyond {polygons.MAX_PARTS} parts")
    return " and ".join(lost)
