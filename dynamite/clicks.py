"""Clicks on objects and on the background, as frozen values."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from reprlib import repr as shorten
from typing import Any

from dynamite.errors import InvalidInputError

MAX_CLICKS = 1000
"""Largest number of clicks on one image: self-attention grows with its square."""

MAX_TIME = 2**53 - 1
"""Largest time stamp of a click: above it, floats skip whole numbers."""


@dataclass(frozen=True, slots=True)
class Click:
    """One click, at a position of the image: not an index of a pixel, see ``on_pixel``.

    Attributes:
        x: pixels from the left edge of the image as given to the predictor, 0 ≤ x < width. The
            first pixel reaches from 0 to 1, its middle is at 0.5.
        y: pixels from the top edge, likewise.
        time: time stamp; the clicks of an image count up from 0 (docs/network.md, 5).
    """

    x: float
    y: float
    time: int = 0

    @classmethod
    def on_pixel(cls, column: int, row: int, time: int = 0) -> "Click":
        """Return the click on the middle of a pixel, whose indices in an array these are."""
        return cls(column + 0.5, row + 0.5, time)


@dataclass(frozen=True, init=False)
class ClickSet:
    """All clicks of one image. At least one object is needed, and every object needs a click.

    Numbers of numpy and torch become Python's.

    Attributes:
        objects: ``objects[i]`` are the clicks on object i.
        background: the clicks on no object.

    Raises:
        InvalidInputError: no object, an object without clicks, something other than a click, a
            coordinate that is not a finite number, a time that is not a whole number from 0 to
            ``MAX_TIME``, or more than ``MAX_CLICKS`` clicks.
    """

    objects: tuple[tuple[Click, ...], ...]
    background: tuple[Click, ...]

    def __init__(
        self, objects: Iterable[Iterable[Click]], background: Iterable[Click] = ()
    ) -> None:
        listed = [
            _as_list(clicks, f"objects[{index}]", "[Click(x, y, time), …]")
            for index, clicks in enumerate(_as_list(objects, "objects", "[[Click(x, y, time), …]]"))
        ]
        rest = _as_list(background, "background", "[Click(x, y, time), …]")
        if not listed:
            raise InvalidInputError("there is no object: give at least one click on an object")
        for index, clicks in enumerate(listed):
            if not clicks:
                raise InvalidInputError(f"object {index} has no clicks: every object needs one")
        count = sum(map(len, listed)) + len(rest)
        if count > MAX_CLICKS:
            raise InvalidInputError(f"{count} clicks are more than the limit of {MAX_CLICKS}")
        object.__setattr__(
            self, "objects", tuple(tuple(map(_with_python_numbers, one)) for one in listed)
        )
        object.__setattr__(self, "background", tuple(map(_with_python_numbers, rest)))

    def __iter__(self) -> Iterator[Click]:
        """Iterate in query order: object 0, object 1, …, background."""
        for clicks in self.objects:
            yield from clicks
        yield from self.background

    def __len__(self) -> int:
        return sum(map(len, self.objects)) + len(self.background)

    @property
    def owners(self) -> list[int]:
        """The object index of each click in query order, −1 for background clicks."""
        owners = [index for index, clicks in enumerate(self.objects) for _ in clicks]
        return owners + [-1] * len(self.background)

    @property
    def latest_time(self) -> int:
        """The newest time stamp."""
        return max(click.time for click in self)

    def without_repeats(self) -> "ClickSet":
        """Return the clicks without those that repeat the previous click on their pixel.

        A click repeats another if both have the same owner. Without repetitions, the set itself is
        returned.

        A second click on the same spot adds no information. To the network it would be one more
        query, and hundreds of them would change the masks of objects far away.
        """
        clicks, owners = list(self), self.owners
        last: dict[tuple[int, int], int] = {}
        new = []
        for index in sorted(range(len(clicks)), key=lambda index: clicks[index].time):
            pixel = math.floor(clicks[index].x), math.floor(clicks[index].y)
            if last.get(pixel) != owners[index]:
                new.append(index)
            last[pixel] = owners[index]
        if len(new) == len(clicks):
            return self
        objects: list[list[Click]] = [[] for _ in self.objects]
        background: list[Click] = []
        for index in sorted(new):
            owned = background if owners[index] < 0 else objects[owners[index]]
            owned.append(clicks[index])
        return ClickSet(objects, background)

    def only_first(self) -> "ClickSet":
        """Return the first click of each object and none of the background, counted from 0."""
        first = (min(clicks, key=lambda click: click.time) for clicks in self.objects)
        return ClickSet([[Click(one.x, one.y, time)] for time, one in enumerate(first)])

    def check_inside(self, height: int, width: int) -> None:
        """Check that all clicks lie in a ``height`` × ``width`` image.

        Raises:
            InvalidInputError: one does not; the message names it.
        """
        for click in self:
            if not (0 <= click.x < width and 0 <= click.y < height):
                raise InvalidInputError(
                    f"click (x={_exactly(click.x)}, y={_exactly(click.y)}) is outside the image of "
                    f"{width}×{height} pixels"
                )

    def scaled(self, x: float, y: float) -> "ClickSet":
        """Return the clicks with coordinates multiplied by the factors ``x`` and ``y``."""
        return self._map(lambda click: Click(click.x * x, click.y * y, click.time))

    def pixel_centered(self) -> "ClickSet":
        """Return the clicks, each moved to the middle of its pixel."""
        return self._map(lambda c: Click(math.floor(c.x) + 0.5, math.floor(c.y) + 0.5, c.time))

    def _map(self, change: Callable[[Click], Click]) -> "ClickSet":
        return ClickSet(
            [map(change, clicks) for clicks in self.objects], map(change, self.background)
        )


def _as_list(given: Any, name: str, expected: str) -> list[Any]:
    try:
        clicks = iter(given)
    except TypeError:
        raise InvalidInputError(f"{name}={shorten(given)} is not a list: give {expected}") from None
    return list(clicks)


def _with_python_numbers(click: Any) -> Click:
    """Return the click with Python's own numbers, or raise ``InvalidInputError``."""
    if not isinstance(click, Click):
        raise InvalidInputError(f"{shorten(click)} is not a click: give Click(x, y, time)")
    if _has_python_numbers(click):
        return click
    x, y, time = _real(click.x), _real(click.y), _real(click.time)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InvalidInputError(
            f"click (x={shorten(click.x)}, y={shorten(click.y)}) is not a finite position: give "
            "pixels as numbers"
        )
    if not (0 <= time <= MAX_TIME and time.is_integer()):
        raise InvalidInputError(
            f"click time {shorten(click.time)} is not a whole number from 0 to {MAX_TIME}: count "
            "the clicks of the image"
        )
    return Click(x, y, int(time))


def _has_python_numbers(click: Click) -> bool:
    """Whether nothing needs converting: the fast path, as clicks are checked at every change."""
    x, y, time = click.x, click.y, click.time
    plain = type(x) is float and type(y) is float and type(time) is int
    return plain and math.isfinite(x) and math.isfinite(y) and 0 <= time <= MAX_TIME


def _real(value: Any) -> float:
    """Return the value as a float: NaN if it is not a number, infinity if it is too large."""
    if getattr(value, "ndim", None) == 0:  # of numpy or torch
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _exactly(value: float) -> str:
    return str(value).removesuffix(".0")
