"""What one call tells about a page, in our words. Positions are fractions of the image's size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from hashlib import blake2b


class Kind(Enum):
    """How a person pointed at something."""

    POINT = "point"
    BOX = "box"
    PAINT = "paint"


@dataclass(frozen=True, slots=True, order=True)
class ImageKey:
    """One image of a task: the name of its tag and its place in a list of images."""

    name: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A keypoint or a rectangle that lies on the page.

    ``x``, ``y`` in 0…1: the point, or the corner a box is turned about, clockwise by ``rotation``
    degrees; ``width`` and ``height`` of a box in fractions too. ``positive`` is None where the page
    does not say. ``aspect``: height of the image by its width, which turned boxes depend on.
    ``from_name``: the tag it was drawn with.
    """

    id: str
    label: str
    image: ImageKey
    x: float
    y: float
    positive: bool | None = None
    width: float = 0.0
    height: float = 0.0
    rotation: float = 0.0
    kind: Kind = Kind.POINT
    aspect: float = 1.0
    from_name: str = ""

    @property
    def place(self) -> tuple[float, ...]:
        """Where it lies, how large and how turned: what its handles change."""
        return (self.x, self.y, self.width, self.height, self.rotation)

    def corners(self, height: float, width: float) -> list[tuple[float, float]]:
        """The corners of a box in pixels of a ``height`` × ``width`` image, in order."""
        angle = math.radians(self.rotation)
        cos, sin = math.cos(angle), math.sin(angle)
        right, down = self.width * width, self.height * height
        return [
            (self.x * width + dx * cos - dy * sin, self.y * height + dx * sin + dy * cos)
            for dx, dy in ((0.0, 0.0), (right, 0.0), (right, down), (0.0, down))
        ]

    def holds(self, x: float, y: float) -> bool:
        """Whether a point, in fractions of the image, lies in a box, turned as it is."""
        right, down = x - self.x, (y - self.y) * self.aspect
        farthest = self.width + self.height * self.aspect  # from its corner, however it is turned
        if abs(right) > farthest or abs(down) > farthest:
            return False
        angle = math.radians(self.rotation)
        along = right * math.cos(angle) + down * math.sin(angle)
        across = down * math.cos(angle) - right * math.sin(angle)
        return 0 <= along <= self.width and 0 <= across <= self.height * self.aspect

    def at(self, along: float, across: float) -> tuple[float, float]:
        """The point at these fractions of a box's width and height, in fractions of the image."""
        (x0, y0), (x1, y1), _, (x3, y3) = self.corners(self.aspect, 1.0)
        x = x0 + along * (x1 - x0) + across * (x3 - x0)
        y = y0 + along * (y1 - y0) + across * (y3 - y0)
        return x, y / self.aspect


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of a brush or eraser: its points in fractions, its width in image widths."""

    points: tuple[tuple[float, float], ...]
    width: float
    erases: bool = False


@dataclass(frozen=True)
class Painted:
    """A mask that lies on the page: Brush RLE, with strokes drawn over it, or strokes alone.

    ``label`` is the first of ``labels``, empty where a saved mask has none: it keeps its pixels,
    but no click is for it. ``from_name``: the tag it belongs to.
    """

    id: str
    label: str
    image: ImageKey
    height: int
    width: int
    rle: bytes = b""
    strokes: tuple[Stroke, ...] = ()
    labels: tuple[str, ...] = ()
    from_name: str = ""

    @property
    def kind(self) -> Kind:
        """Always ``PAINT``."""
        return Kind.PAINT

    @cached_property
    def digest(self) -> str:
        """Equal for equal pixels: what the mask is recognized by."""
        if not self.strokes:
            return digest(self.rle)
        return digest(self.rle + repr((self.height, self.width, self.strokes)).encode())


def digest(rle: bytes) -> str:
    """A name for the pixels of a Brush RLE stream."""
    return blake2b(rle, digest_size=12).hexdigest()


@dataclass(frozen=True)
class SavedPage:
    """A saved state of a page: a draft, or a submitted annotation.

    ``version`` is the time it was saved, comparable as text. ``entries`` are in the page's order:
    what was drawn or accepted first comes first, and an update in place keeps its place.
    """

    key: str
    version: str
    entries: tuple[Prompt | Painted, ...] = ()
    user: str | None = None
    annotation: str | None = None

    @cached_property
    def prompts(self) -> Mapping[str, Prompt]:
        """Keypoints and rectangles by id."""
        return {entry.id: entry for entry in self.entries if isinstance(entry, Prompt)}

    @cached_property
    def painted(self) -> Mapping[str, Painted]:
        """Masks by region id."""
        return {entry.id: entry for entry in self.entries if isinstance(entry, Painted)}

    @cached_property
    def order(self) -> Mapping[str, int]:
        """The place of each entry."""
        return {entry.id: place for place, entry in enumerate(self.entries)}


@dataclass(frozen=True)
class Evidence:
    """One interactive call.

    ``context`` is complete for its kind, its label and the images it shows, in drawing order, and
    holds what was just drawn; of a list, a page may leave the other images out. ``drafts`` are the
    caller's own, ``annotations`` everybody's; ``predictions`` are those that a new page is filled
    with, under ids of its own.
    """

    task: str
    context: tuple[Prompt | Painted, ...]
    drafts: tuple[SavedPage, ...] = ()
    annotations: tuple[SavedPage, ...] = ()
    predictions: tuple[SavedPage, ...] = ()
    background: frozenset[str] = frozenset({"Background"})

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of the regions in the context."""
        return frozenset(entry.id for entry in self.context)

    @property
    def filling(self) -> tuple[SavedPage, ...]:
        """The prediction that may have filled the page: the newest."""
        return tuple(sorted(self.predictions, key=lambda saved: saved.version)[-1:])

    @cached_property
    def _images(self) -> frozenset[ImageKey]:
        return frozenset(entry.image for entry in self.context)

    def covers(self, entry: Prompt | Painted) -> bool:
        """Whether ``entry`` would be in the context if it were on the page."""
        if entry.image not in self._images:
            return False
        newest = self.context[-1]
        return entry.kind is newest.kind and entry.label == newest.label
