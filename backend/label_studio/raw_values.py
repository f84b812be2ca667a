"""Values in the JSON of regions, checked."""

from collections.abc import Mapping
from typing import Any

MAX_SIDE = 100_000
"""Longest image side accepted, in pixels."""

MAX_INDEX = 10_000
"""Highest index of an image in a task's list."""

FAR = 100_000
"""How far outside the image a corner may lie, in percent of its size: turned boxes outgrow narrow
images."""

Raw = Mapping[str, Any]


class RegionError(ValueError):
    """A region cannot be used. The message says why; the caller adds where."""


def number(value: object, low: float, high: float, what: str) -> float:
    """Return a finite number from ``low`` to ``high``.

    Raises:
        RegionError: it is none; the message names ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RegionError(f"{what} is {shown(value)}, not a number")
    if not low <= value <= high:  # NaN is outside too
        raise RegionError(f"{what} is {shown(value)}, outside {low:g}…{high:g}")
    return float(value)


def corner(x: object, y: object, beyond: float) -> tuple[float, float]:
    """Return a position in fractions of the image, given in percent.

    Raises:
        RegionError: it lies more than ``beyond`` percent outside the image.
    """
    across = number(x, -beyond, 100 + beyond, "x")
    return across / 100, number(y, -beyond, 100 + beyond, "y") / 100


def shown(value: object) -> str:
    """Return a value from a request as messages and logs may show it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
