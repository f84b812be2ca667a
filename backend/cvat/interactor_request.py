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

MOST = MAX_CLICKS // 2
"""Most clicks of one call, and most boxes: each stands for a click at least."""

SHOWN = 60
"""Most characters of a wrong value in an error."""

Position = tuple[float, float]
"""x, y in pixels."""

Corners = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Prompts:
    """Clicks for and against, and boxes."""

    positive: tuple[Position, ...] = ()
    negative: tuple[Position, ...] = ()
    boxes: tuple[Corners, ...] = ()


@dataclass(frozen=True)
class InteractorRequest:
    """One call: the file of the frame, and what is asked of it."""

    image: bytes = field(repr=False)
    prompts: Prompts


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
    prompts = read_prompts(body["pos_points"], body["neg_points"], body.get("obj_bbox"))
    return InteractorRequest(read_image(body["image"]), prompts)


def read_project(value: object) -> int | None:
    """Return the number of a project; None if none is named.

    Raises:
        BadRequestError: it is no number of a project.
    """
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 18:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadRequestError(f"project is {_shown(value)}, not the number of a project")
    return value


def read_prompts(pos_points: object, neg_points: object, obj_bbox: object) -> Prompts:
    """Read clicks and boxes.

    Raises:
        BadRequestError: a value is absurd, or there are too many; the message names it.
    """
    positive = _positions(pos_points, "pos_points")
    negative = _positions(neg_points, "neg_points")
    if len(positive) + len(negative) > MOST:
        raise BadRequestError(
            f"pos_points and neg_points are {len(positive) + len(negative)} clicks, more than "
            f"the {MOST} of one call"
        )
    return Prompts(positive, negative, _boxes(obj_bbox))


def read_image(value: object) -> bytes:
    """Return the file of a frame.

    Raises:
        BadRequestError: it is no text in base64.
    """
    if not isinstance(value, str):
        raise BadRequestError(f"image is of type {type(value).__name__}, not text in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError(f"image is not base64: {error}") from None


def _positions(value: object, name: str) -> tuple[Position, ...]:
    if not isinstance(value, list):
        raise BadRequestError(f"{name} is {_shown(value)}, not a list of [x, y]")
    if len(value) > 2 * MOST:  # before a million are looked at
        raise BadRequestError(f"{name} has {len(value)} positions, more than one call may have")
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
    if len(corners) > 2 * MOST:
        raise BadRequestError(
            f"obj_bbox has {len(corners) // 2} boxes, more than the {MOST} of one call"
        )
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
