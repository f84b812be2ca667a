"""Reads one region of Label Studio's JSON into one typed value (docs/label-studio-protocol.md, 4).

To read another prompt, add its reader to ``_PROMPTS``; another kind of mask has a module of its own
(``kinds``).
"""

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b

from backend.label_studio.kinds.table import BY_TYPE, kind_of
from backend.label_studio.raw_values import (
    FAR,
    MAX_INDEX,
    MAX_SIDE,
    Raw,
    RegionError,
    corner,
    number,
    shown,
)
from backend.session.call import Entry
from backend.session.paint import Paint
from backend.session.prompts import Box, Point
from backend.session.regions import ImageKey

_OUTSIDE = 5  # how far outside the image a point may lie, in percent of its size


def read_region(raw: object, *, allow_unlabelled: bool = False) -> Entry | None:
    """Read a keypoint, a rectangle or a mask.

    Args:
        raw: one entry of a result list.
        allow_unlabelled: accept a mask without a label; its label is then empty.

    Returns:
        The region; None for anything else that a result list may hold.

    Raises:
        RegionError: it is one of these, but cannot be used.
    """
    if not isinstance(raw, Mapping):
        raise RegionError(f"it is {type(raw).__name__}, not an object")
    type_ = str(raw.get("type", "")).lower()
    is_mask = type_ in BY_TYPE
    reader = _read_paint if is_mask else _PROMPTS.get(type_.removesuffix("labels"))
    if reader is None:
        return None
    value = raw.get("value")
    if not isinstance(value, Mapping):
        raise RegionError("it has no value")
    if not is_mask and kind_of(value) and "x" not in value:
        return None  # a label that was active while a mask was accepted: a copy of the mask
    labels = _labels(raw, value)
    if not labels and not (allow_unlabelled and is_mask):
        raise RegionError("it has no label")
    return reader(raw, value, labels)


def polarity(raw: Raw, value: Raw) -> bool | None:
    """Return whether a prompt means "object" or "not here"; None where it does not say."""
    for holder in (raw, value):
        for key in ("is_positive", "positive"):
            if isinstance(holder.get(key), bool | int):
                return bool(holder[key])
    return None


def _labels(raw: Raw, value: Raw) -> tuple[str, ...]:
    for key in (str(raw["type"]), "labels"):
        given = value.get(key)
        if isinstance(given, list) and (named := [v for v in given if isinstance(v, str) and v]):
            return tuple(named)
    return ()


def _from_name(raw: Raw) -> str:
    name = raw.get("from_name")
    return name if isinstance(name, str) else ""


def _image(raw: Raw) -> ImageKey:
    name = raw.get("to_name")
    if not isinstance(name, str):
        raise RegionError(f"to_name is {shown(name)}, not the name of an image tag")
    index = raw.get("item_index")
    return ImageKey(name, 0 if index is None else int(number(index, 0, MAX_INDEX, "item_index")))


def _id(raw: Raw) -> str:
    """Return the region's id; without one, a digest of its content."""
    given = raw.get("id")
    if isinstance(given, str | int) and not isinstance(given, bool) and str(given):
        return str(given)
    content = json.dumps(raw, sort_keys=True, default=str).encode()
    return blake2b(content, digest_size=6).hexdigest()


def _read_point(raw: Raw, value: Raw, labels: tuple[str, ...]) -> Point:
    x, y = corner(value.get("x"), value.get("y"), _OUTSIDE)
    return Point(
        _id(raw),
        labels[0],
        _image(raw),
        min(max(x, 0.0), 1.0),
        min(max(y, 0.0), 1.0),
        positive=polarity(raw, value),
        from_name=_from_name(raw),
    )


def _read_box(raw: Raw, value: Raw, labels: tuple[str, ...]) -> Box:
    x, y = corner(value.get("x"), value.get("y"), FAR)
    image = _image(raw)
    width, height = (number(value.get(key), 0, FAR, key) / 100 for key in ("width", "height"))
    rotation = number(value.get("rotation") or 0, -3600, 3600, "rotation")
    if not width or not height:
        raise RegionError("its rectangle is empty")
    aspect = _aspect(raw)
    box = Box(
        _id(raw), labels[0], image, x, y, width, height, rotation, aspect, from_name=_from_name(raw)
    )
    across, down = zip(*box.corners(aspect, 1.0), strict=True)
    if min(across) >= 1 or max(across) <= 0 or min(down) >= aspect or max(down) <= 0:
        raise RegionError("its rectangle lies outside the image")
    return box


def _aspect(raw: Raw) -> float:
    """Return the image's height divided by its width; 1 where the region does not say."""
    try:
        height, width = (
            number(raw.get(key), 1, MAX_SIDE, key) for key in ("original_height", "original_width")
        )
    except RegionError:
        return 1.0
    return height / width


def _read_paint(raw: Raw, value: Raw, labels: tuple[str, ...]) -> Paint:
    height = int(number(raw.get("original_height"), 1, MAX_SIDE, "original_height"))
    width = int(number(raw.get("original_width"), 1, MAX_SIDE, "original_width"))
    kind = kind_of(value)
    if kind is None:
        raise RegionError("it has no mask")
    stored, strokes = kind.read(value)
    label = labels[0] if labels else ""
    return Paint(
        _id(raw),
        label,
        _image(raw),
        height,
        width,
        stored,
        strokes,
        labels,
        from_name=_from_name(raw),
    )


_PROMPTS: Mapping[str, Callable[[Raw, Raw, tuple[str, ...]], Entry]] = {
    "keypoint": _read_point,
    "rectangle": _read_box,
}
