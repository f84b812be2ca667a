"""What the shapes of a frame take from others: their pixels as masks and polygons."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from backend.cvat.job_shapes import Json

BY_PEOPLE = ("manual", "semi-auto")
"""CVAT's words for shapes that a person drew, or clicked and accepted."""

CORNERS = 32
"""Corners of the polygon in place of an ellipse."""

Point = tuple[float, float]


def taken(shapes: Iterable[Json], labels: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the shapes that nothing may lie on, as the backend reads them.

    Masks and polygons that people drew have their label, as examples of it. Points and lines take
    nothing.

    Args:
        shapes: of a frame, as CVAT describes them.
        labels: names by number; those of other labels are no examples.
    """
    found: list[dict[str, Any]] = []
    for shape in shapes:
        if shape["type"] in ("mask", "polygon"):
            by_people = shape.get("source", "manual") in BY_PEOPLE
            label = labels.get(shape["label_id"]) if by_people else None
            found.append({"type": shape["type"], "points": shape["points"], "label": label})
        elif (outline := outline_of(shape)) is not None:
            corners = [number for point in outline for number in point]
            found.append({"type": "polygon", "points": corners})
    return found


def outline_of(shape: Json) -> list[Point] | None:
    """Return corners x, y around a rectangle, an ellipse or a cuboid; None for what has no area."""
    points = list(map(float, shape["points"]))
    if shape["type"] == "rectangle":
        return rectangle(shape)
    if shape["type"] == "ellipse":
        x, y, right, top = points[:4]
        turns = [2 * math.pi * number / CORNERS for number in range(CORNERS)]
        circle = [(x + (right - x) * math.cos(t), y + (y - top) * math.sin(t)) for t in turns]
        return _turned(circle, (x, y), shape)
    if shape["type"] == "cuboid":
        across, down = points[::2], points[1::2]
        return _corners(min(across), min(down), max(across), max(down))
    return None


def rectangle(shape: Json) -> list[Point]:
    """Return the corners of a rectangle, turned about its center."""
    left, top, right, bottom = map(float, shape["points"][:4])
    return _turned(
        _corners(left, top, right, bottom), ((left + right) / 2, (top + bottom) / 2), shape
    )


def _corners(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _turned(corners: list[Point], center: Point, shape: Json) -> list[Point]:
    """Return corners turned about a center by the shape's degrees, clockwise as on the page."""
    angle = math.radians(float(shape.get("rotation") or 0.0))
    cos, sin = math.cos(angle), math.sin(angle)
    x0, y0 = center
    return [
        (x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos)
        for x, y in corners
    ]
