"""What a kind of mask is: how a region holds it, and how it is read from one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from backend.label_studio.raw_values import Raw
from backend.session.bitmask import Mask
from backend.session.paint import Stroke
from backend.session.stored_masks import StoredMask
from dynamite.polygons import Ring

Value = Mapping[str, Any]
"""A region's ``value``, without its labels."""


@dataclass(frozen=True, eq=False)
class Form:
    """A mask in the form that its kind gives it.

    Attributes:
        mask: H×W, as it is read back.
        values: of its regions; several where the kind holds connected parts only.
        rings: the outline of each part, in pixels.
        outline: writes the value of one more part, from its corners in percent of the image; None
            where the kind has no parts.
        lost: what the form cannot hold, in words; empty if it holds everything.
    """

    mask: Mask
    values: tuple[Value, ...]
    rings: tuple[Ring, ...] = ()
    outline: Callable[[Ring], Value] | None = None
    lost: str = ""


Rings = tuple[Ring, ...]

Read = tuple[StoredMask | None, tuple[Stroke, ...]]
"""The pixels of a region, and the strokes over them."""


class RegionKind(Protocol):
    """One kind of mask. ``kinds.table`` lists them all."""

    @property
    def name(self) -> str:
        """As in the names of its tags: "Brush" for BrushLabels, and Brush beside Labels."""

    @property
    def verb(self) -> str:
        """What a person does by hand to make one."""

    @property
    def since(self) -> str:
        """The first release of Label Studio that shows such suggestions; empty for all."""

    @property
    def remark(self) -> str:
        """What masks lose in it, in words; empty if nothing."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a ``value`` by which the page knows the kind, whatever the region's type."""

    def form(self, mask: Mask, tolerance: float, known: Rings = ()) -> Form:
        """Return a mask as its regions.

        Args:
            mask: H×W.
            tolerance: of outlines, in pixels.
            known: the outlines of the object as answered or stored last, in pixels. If they hold
                this very mask, they are used again: an outline of an outline would be another.
        """

    def read(self, value: Raw) -> Read:
        """Read the ``value`` of a region.

        Raises:
            RegionError: it cannot be used.
        """
