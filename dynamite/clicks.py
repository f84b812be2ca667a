"""What a person said: clicks on objects and on the background, as frozen values."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from reprlib import repr as shortly
from typing import Any

from dynamite.errors import InvalidInputError

MAX_CLICKS = 1000
"""Most clicks of one image: self-attention grows with their square."""

MAX_TIME = 2**53 - 1
"""Latest time of a click: above it, floats skip whole numbers."""


@dataclass(frozen=True, slots=True)
class Click:
    """One click.

    ``x`` and ``y`` are pixels of the image as given to the predictor, floats allowed, origin at its
    top-left corner, 0 ≤ x < width. ``time`` counts the clicks of the image from 0 (MODEL_SPEC 9.2).
    """

    x: float
    y: float
    time: int = 0


@dataclass(frozen=True, init=False)
class ClickSet:
    """All clicks of one image: ``objects[i]`` are those on object i, ``background`` the rest.

    Every object needs a click and at least one object is needed (MODEL_SPEC 8.1). Numbers of numpy
    and torch become Python's.

    Raises:
        InvalidInputError: no object, an object without clicks, something else than a click, a
            coordinate that is no finite number, a time that is no whole number of 0 …
            ``MAX_TIME``, or more than ``MAX_CLICKS`` clicks.
    """

    objects: tuple[tuple[Click, ...], ...]
    background: tuple[Click, ...]

    def __init__(
        self, objects: Iterable[Iterable[Click]], background: Iterable[Click] = ()
    ) -> None:
        listed = [
            _listed(clicks, f"objects[{index}]", "[Click(x, y, time), …]")
            for index, clicks in enumerate(_listed(objects, "objects", "[[Click(x, y, time), …]]"))
        ]
        beside = _listed(background, "background", "[Click(x, y, time), …]")
        if not listed:
            raise InvalidInputError("there is no object: give at least one click on an object")
        for index, clicks in enumerate(listed):
            if not clicks:
                raise InvalidInputError(f"object {index} has no clicks: every object needs one")
        count = sum(map(len, listed)) + len(beside)
        if count > MAX_CLICKS:
            raise InvalidInputError(f"{count} clicks are more than the limit of {MAX_CLICKS}")
        object.__setattr__(self, "objects", tuple(tuple(map(_plain, one)) for one in listed))
        object.__setattr__(self, "background", tuple(map(_plain, beside)))

    def __iter__(self) -> Iterator[Click]:
        """Clicks in query order: object 0, object 1, …, background (MODEL_SPEC 5)."""
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
        """The newest time stamp, the "max_timestamp" of MODEL_SPEC 5.2."""
        return max(click.time for click in self)

    def without_repeats(self) -> "ClickSet":
        """The clicks that say something new: none on a pixel that had its owner's click last.

        A person who clicks on a spot twice means what was meant the first time. The network would
        hear two queries, and after hundreds of them answer otherwise for objects far away.
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

    def check_inside(self, height: int, width: int) -> None:
        """Raise ``InvalidInputError`` if a click lies outside a ``height`` × ``width`` image."""
        for click in self:
            if not (0 <= click.x < width and 0 <= click.y < height):
                raise InvalidInputError(
                    f"click (x={_exactly(click.x)}, y={_exactly(click.y)}) is outside the image of "
                    f"{width}×{height} pixels"
                )

    def moved(self, *, left: float, top: float, scale_x: float, scale_y: float) -> "ClickSet":
        """The same clicks in the frame of a crop at (left, top), scaled by (scale_x, scale_y)."""

        def move(clicks: Sequence[Click]) -> list[Click]:
            return [Click((c.x - left) * scale_x, (c.y - top) * scale_y, c.time) for c in clicks]

        return ClickSet([move(clicks) for clicks in self.objects], move(self.background))

    def centred(self) -> "ClickSet":
        """The same clicks, each in the middle of the pixel that it lies on."""

        def centre(clicks: Sequence[Click]) -> list[Click]:
            return [Click(math.floor(c.x) + 0.5, math.floor(c.y) + 0.5, c.time) for c in clicks]

        return ClickSet([centre(clicks) for clicks in self.objects], centre(self.background))


def _listed(given: Any, name: str, wanted: str) -> list[Any]:
    try:
        clicks = iter(given)
    except TypeError:
        raise InvalidInputError(f"{name}={shortly(given)} is no list: give {wanted}") from None
    return list(clicks)


def _plain(click: Any) -> Click:
    """The click with Python's own numbers; raises where it is none."""
    if not isinstance(click, Click):
        raise InvalidInputError(f"{shortly(click)} is no click: give Click(x, y, time)")
    if _is_plain(click):
        return click
    x, y, time = _real(click.x), _real(click.y), _real(click.time)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InvalidInputError(
            f"click (x={shortly(click.x)}, y={shortly(click.y)}) is not a finite position: give "
            "pixels as numbers"
        )
    if not (0 <= time <= MAX_TIME and time.is_integer()):
        raise InvalidInputError(
            f"click time {shortly(click.time)} is no whole number from 0 to {MAX_TIME}: count the "
            "clicks of the image"
        )
    return Click(x, y, int(time))


def _is_plain(click: Click) -> bool:
    """All is as it should be, as of nearly all clicks: they are checked at every move."""
    x, y, time = click.x, click.y, click.time
    plain = type(x) is float and type(y) is float and type(time) is int
    return plain and math.isfinite(x) and math.isfinite(y) and 0 <= time <= MAX_TIME


def _real(value: Any) -> float:
    """The value as a float; NaN where it is no number, infinity where it is too large for one."""
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
