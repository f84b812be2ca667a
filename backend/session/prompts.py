"""Prompts: the shapes a person points at objects with. Positions are fractions of the image's size.

Each shape says which clicks it stands for, what it contains and how it clips a mask. To add one,
add a class here and a reader in the adapter (docs/extending.md).
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from backend.session.bitmask import Mask
from backend.session.regions import Region

MARGIN = 0.08
"""How far outside a box its background clicks lie, as a share of its width and height."""

Position = tuple[float, float]
"""x and y as fractions of the image's width and height."""


@dataclass(frozen=True)
class Prompt(Region):
    """A prompt on a page.

    ``positive`` is None where the page does not say whether the prompt means "object" or "not
    here". A prompt that ``outlines`` starts an object of its own, collects the clicks inside it and
    keeps the object's mask inside.
    """

    outlines: ClassVar[bool] = False

    positive: bool | None = field(default=None, kw_only=True)

    @property
    def place(self) -> tuple[float, ...]:
        """The numbers that dragging its handles changes."""
        raise NotImplementedError

    @property
    def anchor(self) -> Position:
        """The position that decides which region lies under the prompt."""
        raise NotImplementedError

    @property
    def is_smart(self) -> bool:
        """Whether a smart tool drew it: accepting or rejecting everything deletes it."""
        return self.positive is not None

    def clicks(self) -> list[Position]:
        """Return clicks that stand for the prompt, the most telling one first."""
        return [self.anchor]

    def clicks_around(self) -> list[Position]:
        """Return background clicks just outside it, some of them perhaps outside the image."""
        return []

    def contains(self, x: float, y: float) -> bool:  # noqa: ARG002  a point contains nothing
        """Whether it encloses a position."""
        return False

    def clip(self, mask_HW: Mask) -> Mask:
        """Return the part of a mask that the prompt allows."""
        return mask_HW

    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the upright box around it."""
        return (*self.anchor, *self.anchor)


@dataclass(frozen=True)
class Point(Prompt):
    """A keypoint. The page says of smart ones whether they are positive."""

    x: float
    y: float

    @property
    def place(self) -> tuple[float, ...]:
        """Its position."""
        return (self.x, self.y)

    @property
    def anchor(self) -> Position:
        """Its position."""
        return self.x, self.y


@dataclass(frozen=True)
class Box(Prompt):
    """A rectangle, turned clockwise by ``rotation`` degrees about its corner ``x``, ``y``.

    ``width`` and ``height`` are fractions of the image's. ``aspect`` is the image's height divided
    by its width: a turned box needs it.
    """

    outlines: ClassVar[bool] = True

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0
    aspect: float = 1.0

    @property
    def place(self) -> tuple[float, ...]:
        """Corner, size and rotation."""
        return (self.x, self.y, self.width, self.height, self.rotation)

    @property
    def anchor(self) -> Position:
        """Its center."""
        return self.at(0.5, 0.5)

    @property
    def is_smart(self) -> bool:
        """Always: pages do not say it of boxes."""
        return True

    def clicks(self) -> list[Position]:
        """Return the center, and the four positions halfway from there to each side."""
        spots = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))
        return [self.at(*spot) for spot in spots]

    def clicks_around(self) -> list[Position]:
        """Return one position beyond the middle of each side."""
        near, far = -MARGIN, 1 + MARGIN
        return [self.at(*spot) for spot in ((near, 0.5), (far, 0.5), (0.5, near), (0.5, far))]

    def corners(self, height: float, width: float) -> list[Position]:
        """Return the four corners in pixels of a ``height`` × ``width`` image, in order."""
        angle = math.radians(self.rotation)
        cos, sin = math.cos(angle), math.sin(angle)
        right, down = self.width * width, self.height * height
        return [
            (self.x * width + dx * cos - dy * sin, self.y * height + dx * sin + dy * cos)
            for dx, dy in ((0.0, 0.0), (right, 0.0), (right, down), (0.0, down))
        ]

    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the upright box around it."""
        across, down = zip(*self.corners(self.aspect, 1.0), strict=True)
        return min(across), min(down) / self.aspect, max(across), max(down) / self.aspect

    def at(self, along: float, across: float) -> Position:
        """Return the position at these fractions of the box's own width and height."""
        (x0, y0), (x1, y1), _, (x3, y3) = self.corners(self.aspect, 1.0)
        x = x0 + along * (x1 - x0) + across * (x3 - x0)
        y = y0 + along * (y1 - y0) + across * (y3 - y0)
        return x, y / self.aspect

    def contains(self, x: float, y: float) -> bool:
        """Whether a position lies in the turned rectangle."""
        right, down = x - self.x, (y - self.y) * self.aspect
        reach = self.width + self.height * self.aspect  # bounds the distance from its corner
        if abs(right) > reach or abs(down) > reach:
            return False
        angle = math.radians(self.rotation)
        along = right * math.cos(angle) + down * math.sin(angle)
        across = down * math.cos(angle) - right * math.sin(angle)
        return 0 <= along <= self.width and 0 <= across <= self.height * self.aspect

    def clip(self, mask_HW: Mask) -> Mask:
        """Return the pixels of a mask whose centers lie in the rectangle; a new array."""
        height, width = mask_HW.shape
        corners = np.array(self.corners(height, width))
        left, top = np.clip(np.floor(corners.min(0)), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0)), 0, (width, height)).astype(int)
        clipped = np.zeros_like(mask_HW)
        window = slice(top, bottom), slice(left, right)
        x = np.arange(left, right) + 0.5 - corners[0, 0]
        y = np.arange(top, bottom) + 0.5 - corners[0, 1]
        clipped[window] = mask_HW[window] & self._covers(
            x, y, self.width * width, self.height * height
        )
        return clipped

    def _covers(self, x: "Line", y: "Line", width: float, height: float) -> Mask:
        """Return which pixels lie inside, given their columns and rows counted from the corner.

        Row by row where the box is turned: a large photo would need gigabytes of numbers at once.
        """
        if not self.rotation:
            return ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :]
        angle = math.radians(self.rotation)
        x_along, x_across = x * math.cos(angle), x * math.sin(angle)
        y_along, y_across = y * math.sin(angle), y * math.cos(angle)
        covered = np.zeros((len(y), len(x)), np.bool_)
        for row in range(len(y)):
            along, across = x_along + y_along[row], y_across[row] - x_across
            covered[row] = (along >= 0) & (along < width) & (across >= 0) & (across < height)
        return covered


Line = np.ndarray[tuple[int], np.dtype[np.float64]]
