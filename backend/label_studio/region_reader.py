"""One region of Label Studio's JSON → one typed value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from backend.session.call import ImageKey, Kind, Painted, Prompt, Stroke

MAX_SIDE = 100_000
"""Longest image side believed."""
MAX_INDEX = 10_000
"""Most images of one task."""
_OUTSIDE = 5  # how far outside the image a point may lie, in percent of its size
_FAR = 100_000  # the same for a rectangle's corner and sides: turned ones outgrow narrow images
_KINDS = {"keypoint": Kind.POINT, "rectangle": Kind.BOX, "brush": Kind.PAINT}


class RegionError(ValueError):
    """A region cannot be used; the message says why, the reader adds where."""


def read_region(raw: object, *, unlabelled: bool = False) -> Prompt | Painted | None:
    """A keypoint, rectangle or brush region; None for anything else a result list may hold.

    ``unlabelled``: a brush region may lack a label; it then has the empty one.

    Raises:
        RegionError: it is one of these, but cannot be used.
    """
    if not isinstance(raw, Mapping):
        raise RegionError(f"it is {type(raw).__name__}, not an object")
    kind = _KINDS.get(str(raw.get("type", "")).lower().removesuffix("labels"))
    value = raw.get("value")
    if kind is None:
        return None
    if not isinstance(value, Mapping):
        raise RegionError("it has no value")
    if kind is not Kind.PAINT and "rle" in value and "x" not in value:
        return None  # a label that was selected while a mask was accepted: the mask's twin
    labels = _labels(raw, value)
    if not labels and not (unlabelled and kind is Kind.PAINT):
        raise RegionError("it has no label")
    if kind is Kind.PAINT:
        return _painted(raw, value, labels)
    return _prompt(raw, value, labels[0], kind)


def number(value: object, low: float, high: float, what: str) -> float:
    """A finite number from ``low`` to ``high``, or a ``RegionError`` that names ``what``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RegionError(f"{what} is {shown(value)}, not a number")
    if not low <= value <= high:  # NaN is outside too
        raise RegionError(f"{what} is {shown(value)}, outside {low:g}…{high:g}")
    return float(value)


def _labels(raw: Mapping[str, Any], value: Mapping[str, Any]) -> tuple[str, ...]:
    for key in (str(raw["type"]), "labels"):
        given = value.get(key)
        if isinstance(given, list) and (named := [v for v in given if isinstance(v, str) and v]):
            return tuple(named)
    return ()


def _from_name(raw: Mapping[str, Any]) -> str:
    name = raw.get("from_name")
    return name if isinstance(name, str) else ""


def _image(raw: Mapping[str, Any]) -> ImageKey:
    name = raw.get("to_name")
    if not isinstance(name, str):
        raise RegionError(f"to_name is {shown(name)}, not the name of an image tag")
    index = raw.get("item_index")
    return ImageKey(name, 0 if index is None else int(number(index, 0, MAX_INDEX, "item_index")))


def _id(raw: Mapping[str, Any]) -> str:
    given = raw.get("id")
    if isinstance(given, str | int) and not isinstance(given, bool) and str(given):
        return str(given)
    content = json.dumps(raw, sort_keys=True, default=str).encode()
    return blake2b(content, digest_size=6).hexdigest()


def _prompt(raw: Mapping[str, Any], value: Mapping[str, Any], label: str, kind: Kind) -> Prompt:
    beyond = _OUTSIDE if kind is Kind.POINT else _FAR
    x, y = (number(value.get(key), -beyond, 100 + beyond, key) / 100 for key in ("x", "y"))
    point = Prompt(_id(raw), label, _image(raw), x, y, from_name=_from_name(raw))
    if kind is Kind.BOX:
        return _box(raw, value, point)
    inside_x, inside_y = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    return replace(point, x=inside_x, y=inside_y, positive=_positive(raw, value))


def _box(raw: Mapping[str, Any], value: Mapping[str, Any], corner: Prompt) -> Prompt:
    width, height = (number(value.get(key), 0, _FAR, key) / 100 for key in ("width", "height"))
    rotation = number(value.get("rotation") or 0, -3600, 3600, "rotation")
    if not width or not height:
        raise RegionError("its rectangle is empty")
    box = replace(
        corner, kind=Kind.BOX, width=width, height=height, rotation=rotation, aspect=_aspect(raw)
    )
    across, down = zip(*box.corners(box.aspect, 1.0), strict=True)
    if min(across) >= 1 or max(across) <= 0 or min(down) >= box.aspect or max(down) <= 0:
        raise RegionError("its rectangle lies outside the image")
    return box


def _aspect(raw: Mapping[str, Any]) -> float:
    try:
        height, width = (
            number(raw.get(key), 1, MAX_SIDE, key) for key in ("original_height", "original_width")
        )
    except RegionError:
        return 1.0
    return height / width


def _positive(raw: Mapping[str, Any], value: Mapping[str, Any]) -> bool | None:
    for holder in (raw, value):
        for key in ("is_positive", "positive"):
            if isinstance(holder.get(key), bool | int):
                return bool(holder[key])
    return None


def _painted(raw: Mapping[str, Any], value: Mapping[str, Any], labels: tuple[str, ...]) -> Painted:
    height = int(number(raw.get("original_height"), 1, MAX_SIDE, "original_height"))
    width = int(number(raw.get("original_width"), 1, MAX_SIDE, "original_width"))
    rle = value.get("rle") or []
    try:
        stream = bytes(rle) if isinstance(rle, list) else b""
    except (ValueError, TypeError) as error:
        raise RegionError("its rle is not a list of bytes") from error
    touches = value.get("touches")
    strokes = tuple(map(_stroke, touches)) if isinstance(touches, list) else ()
    if not stream and not strokes:
        raise RegionError("it has neither rle nor touches")
    label = labels[0] if labels else ""
    named = _from_name(raw)
    return Painted(_id(raw), label, _image(raw), height, width, stream, strokes, labels, named)


def _stroke(raw: object) -> Stroke:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("relativePoints"), Sequence):
        raise RegionError("one of its touches has no relativePoints")
    flat = [number(v, -1000, 1000, "a point of a touch") / 100 for v in raw["relativePoints"]]
    if not flat or len(flat) % 2:
        raise RegionError(f"one of its touches has {len(flat)} coordinates, not pairs")
    width = number(raw.get("relativeStrokeWidth", 1), 0, 1000, "relativeStrokeWidth") / 100
    points = tuple(zip(flat[::2], flat[1::2], strict=True))
    return Stroke(points, width, erases=raw.get("type", "add") != "add")


def shown(value: object) -> str:
    """What a request holds, as messages and logs may show it: short, and on one line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
