"""All kinds of mask. To add one, write its module and name it here."""

from collections.abc import Mapping

from backend.label_studio.kinds.bitmask import Bitmask
from backend.label_studio.kinds.brush import Brush
from backend.label_studio.kinds.kind import RegionKind
from backend.label_studio.kinds.polygon import Polygon
from backend.label_studio.kinds.vector import Vector
from backend.label_studio.raw_values import Raw

KINDS: tuple[RegionKind, ...] = (Brush(), Bitmask(), Polygon(), Vector())

LABELS = "Labels"
"""The end of a tag's name that has labels of its own, and the tag that has them for others."""

BY_TYPE: Mapping[str, RegionKind] = {
    type_: kind for kind in KINDS for type_ in (kind.name.lower(), f"{kind.name}{LABELS}".lower())
}
"""By a region's ``type``, which is the name of its tag in lower case."""

_BY_KEY = {key: kind for kind in KINDS for key in kind.keys}


def kind_of(value: Raw) -> RegionKind | None:
    """Return the kind of a region by its ``value``, as the page does; None if it holds no mask."""
    return next((kind for key, kind in _BY_KEY.items() if key in value), None)
