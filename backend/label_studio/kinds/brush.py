"""Brush regions: Brush RLE, or strokes that the page has not turned into pixels yet."""

from collections.abc import Mapping, Sequence

from backend.label_studio.kinds.kind import Form, Read, Rings
from backend.label_studio.raw_values import Raw, RegionError, number
from backend.session.bitmask import Mask
from backend.session.paint import Stroke
from backend.session.stored_masks import BrushRle
from dynamite import brush_rle


class Brush:
    """Every mask, as a list of numbers."""

    name = "Brush"
    verb = "Paint"
    since = ""
    remark = ""
    keys = ("rle", "touches")

    def form(self, mask: Mask, tolerance: float, known: Rings = ()) -> Form:  # noqa: ARG002
        """Return a mask as Brush RLE."""
        return Form(mask, ({"format": "rle", "rle": brush_rle.encode(mask)},))

    def read(self, value: Raw) -> Read:
        """Read Brush RLE, strokes, or both."""
        rle = value.get("rle") or []
        try:
            stream = bytes(rle) if isinstance(rle, list) else b""
        except (ValueError, TypeError) as error:
            raise RegionError("its rle is not a list of bytes") from error
        touches = value.get("touches")
        strokes = tuple(map(_stroke, touches)) if isinstance(touches, list) else ()
        if not stream and not strokes:
            raise RegionError("it has neither rle nor touches")
        return BrushRle(stream) if stream else None, strokes


def _stroke(raw: object) -> Stroke:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("relativePoints"), Sequence):
        raise RegionError("one of its touches has no relativePoints")
    flat = [number(v, -1000, 1000, "a point of a touch") / 100 for v in raw["relativePoints"]]
    if not flat or len(flat) % 2:
        raise RegionError(f"one of its touches has {len(flat)} coordinates, not pairs")
    width = number(raw.get("relativeStrokeWidth", 1), 0, 1000, "relativeStrokeWidth") / 100
    points = tuple(zip(flat[::2], flat[1::2], strict=True))
    return Stroke(points, width, erases=raw.get("type", "add") != "add")
