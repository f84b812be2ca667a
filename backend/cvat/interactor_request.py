"""Reads what CVAT sends an interactor: CVAT itself checks none of it, and names no task or person.

``{"image": base64, "pos_points": [[x, y]…], "neg_points": [[x, y]…], "obj_bbox": [] | null |
[[x1, y1], [x2, y2]] | two corners for each of N boxes}``; positions are pixels of the image sent.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.errors import BadRequestError
from dynamite.clicks import MAX_CLICKS

MAX_BOXES = 200
"""Most boxes of one call."""

SHOWN = 60
"""Most characters of a wrong value in an error."""

Position = tuple[float, float]
"""x, y in pixels."""

Corners = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class InteractorRequest:
    """One call: the file of the frame, clicks for and against, and boxes."""

    image: bytes = field(repr=False)
    positive: tuple[Position, ...] = ()
    negative: tuple[Position, ...] = ()
    boxes: tuple[Corners, ...] = ()


def is_interactor_call(body: Mapping[str, Any]) -> bool:
    """Whether a body is one for an interactor, where no header says so."""
    return {"image", "pos_points", "neg_points"} <= body.keys()


def read_request(body: Mapping[str, Any]) -> InteractorRequest:
    """Read a call.

    Raises:
        BadRequestError: a value is missing or absurd; the message names it.
    """
    if not is_interactor_call(body):
        raise BadRequestError(
            "the call is none for an interactor: it needs image, pos_points and neg_points, and "
            f"has {_shown(', '.join(map(str, body)) or 'nothing')}"
        )
    positive = _positions(body["pos_points"], "pos_points")
    negative = _positions(body["neg_points"], "neg_points")
    boxes = _boxes(body.get("obj_bbox"))
    if len(positive) + len(negative) > MAX_CLICKS // 2:
        raise BadRequestError(f"{len(positive) + len(negative)} clicks are too many")
    return InteractorRequest(_image(body["image"]), positive, negative, boxes)


def _image(value: object) -> bytes:
    if not isinstance(value, str):
        raise BadRequestError(f"image is of type {type(value).__name__}, not text in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError(f"image is not base64: {error}") from None


def _positions(value: object, name: str) -> tuple[Position, ...]:
    if not isinstance(value, list):
        raise BadRequestError(f"{name} is {_shown(value)}, not a list of [x, y]")
    return tuple(_position(one, f"{name}[{index}]") for index, one in enumerate(value))


def _position(value: object, name: str) -> Position:
    if isinstance(value, list) and len(value) == 2:
        x, y = (_pixel(number) for number in value)
        if x is not None and y is not None:
            return x, y
    raise BadRequestError(f"{name} is {_shown(value)}, not [x, y] in pixels")


def _pixel(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _boxes(value: object) -> tuple[Corners, ...]:
    """Read corners in pairs; several boxes come one behind the other, or as lists of two."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadRequestError(f"obj_bbox is {_shown(value)}, not a list of corners")
    pairs = [pair for one in value for pair in (one if _is_nested(one) else [one])]
    corners = _positions(pairs, "obj_bbox")
    if len(corners) % 2:
        raise BadRequestError(f"obj_bbox has {len(corners)} corners: a box has two")
    if len(corners) > 2 * MAX_BOXES:
        raise BadRequestError(f"obj_bbox has {len(corners) // 2} boxes, more than {MAX_BOXES}")
    return tuple(
        (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        for (x1, y1), (x2, y2) in zip(corners[::2], corners[1::2], strict=True)
    )


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(inner, list) for inner in value)


def _shown(value: object) -> str:
    """A value on one line, cut: errors go to the log and to the status page."""
    text = repr(value[:SHOWN] if isinstance(value, str | list) else value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
