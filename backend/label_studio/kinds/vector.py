"""Vector regions: vertices, each naming the one before it. Curves are read as straight lines."""

from collections.abc import Mapping

from backend.label_studio.kinds.kind import Form, Read, Rings, Value
from backend.label_studio.kinds.polygon import outlined, polygon
from backend.label_studio.raw_values import FAR, Raw, RegionError, corner, shown
from backend.session.bitmask import Mask
from dynamite.polygons import Ring


class Vector:
    """As a polygon; the page takes no click on one."""

    name = "Vector"
    verb = "Outline"
    since = "1.22.0"
    remark = (
        "holes of masks are filled, edges lie up to DYNAMITE_POLYGON_TOLERANCE pixels "
        "off, and no click on a vector reaches this backend: refine it with a rectangle "
        "around it"
    )
    keys = ("vertices",)

    def form(self, mask: Mask, tolerance: float, known: Rings = ()) -> Form:
        """Return a mask as one closed path for each part."""
        return outlined(mask, tolerance, known, _value)

    def read(self, value: Raw) -> Read:
        """Read a path; it counts as closed, whatever ``closed`` says."""
        vertices = value["vertices"]
        if not isinstance(vertices, list):
            raise RegionError(f"its vertices are {shown(vertices)}, not a list")
        return polygon(vertices, _corner), ()


def _value(ring: Ring) -> Value:
    vertices = [
        {
            "id": f"v{number}",
            "x": x,
            "y": y,
            "prevPointId": f"v{number - 1}" if number else None,
            "isBezier": False,
        }
        for number, (x, y) in enumerate(ring.tolist())
    ]
    return {"vertices": vertices, "closed": True}


def _corner(raw: object) -> tuple[float, float]:
    if not isinstance(raw, Mapping):
        raise RegionError(f"one of its vertices is {shown(raw)}, not an object")
    return corner(raw.get("x"), raw.get("y"), FAR)
