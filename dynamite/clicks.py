"""What a person said: clicks on objects and on the background, as frozen values."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dynamite.errors import InvalidInputError

MAX_CLICKS = 1000
"""Most clicks of one image: self-attention grows with their square."""


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

    Every object needs a click and at least one object is needed (MODEL_SPEC 8.1).

    Raises:
        InvalidInputError: no object, an object without clicks, a coordinate that is not finite, a
            negative time, or more than ``MAX_CLICKS`` clicks.
    """

    objects: tuple[tuple[Click, ...], ...]
    background: tuple[Click, ...]

    def __init__(
        self, objects: Iterable[Iterable[Click]], background: Iterable[Click] = ()
    ) -> None:
        object.__setattr__(self, "objects", tuple(tuple(clicks) for clicks in objects))
        object.__setattr__(self, "background", tuple(background))
        if not self.objects:
            raise InvalidInputError("there is no object: give at least one click on an object")
        for index, clicks in enumerate(self.objects):
            if not clicks:
                raise InvalidInputError(f"object {index} has no clicks: every object needs one")
        if len(self) > MAX_CLICKS:
            raise InvalidInputError(f"{len(self)} clicks are more than the limit of {MAX_CLICKS}")
        for click in self:
            _check(click)

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

    def check_inside(self, height: int, width: int) -> None:
        """Raise ``InvalidInputError`` if a click lies outside a ``height`` × ``width`` image."""
        for click in self:
            if not (0 <= click.x < width and 0 <= click.y < height):
                raise InvalidInputError(
                    f"click (x={click.x:g}, y={click.y:g}) is outside the image of "
                    f"{width}×{height} pixels"
                )

    def moved(self, *, left: float, top: float, scale_x: float, scale_y: float) -> "ClickSet":
        """The same clicks in the frame of a crop at (left, top), scaled by (scale_x, scale_y)."""

        def move(clicks: Sequence[Click]) -> list[Click]:
            return [Click((c.x - left) * scale_x, (c.y - top) * scale_y, c.time) for c in clicks]

        return ClickSet([move(clicks) for clicks in self.objects], move(self.background))


def _check(click: Click) -> None:
    if not (math.isfinite(click.x) and math.isfinite(click.y)):
        raise InvalidInputError(f"click (x={click.x}, y={click.y}) is not a finite position")
    if click.time < 0:
        raise InvalidInputError(f"click time {click.time} is negative: times count up from 0")
