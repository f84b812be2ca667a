"""Tells the calls of the next editor from today's, and reads their prompts."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.raw_values import RegionError, number, shown
from backend.label_studio.region_reader import polarity
from backend.session.prompts import Box, Point, Prompt
from backend.session.regions import ImageKey
from dynamite.clicks import MAX_CLICKS

CAPABILITIES = "capabilities"
"""The event that asks what the backend can do."""

_PREDICT = "predict"  # the event of a prompt, for a page that names it
_OUTSIDE = 5  # how far outside the image a point may lie, in percent of its size
_FAR = 1000  # the same for a box

Raw = Mapping[str, Any]


def context_of(body: Raw) -> Raw | None:
    """Return the context of a call if the next editor made it, else None."""
    params = body.get("params")
    context = params.get("context") if isinstance(params, Mapping) else None
    if not isinstance(context, Mapping):
        return None
    return context if event_of(context) or _prompts_in(context) else None


def event_of(context: Raw) -> object:
    """Return the event of a call; None for points or a box."""
    event = context.get("event")
    return None if event == _PREDICT else event or None


def read_prompts(context: Raw, image: ImageKey) -> tuple[Prompt, ...]:
    """Return the points or the box of a call, in drawing order.

    Raises:
        BadRequestError: one of them cannot be used (code ``bad_region``), or there are more than
            the model takes (``too_many_regions``).
    """
    raws = _prompts_in(context)
    if len(raws) > MAX_CLICKS:
        raise BadRequestError(
            f"The object has {len(raws)} points, more than {MAX_CLICKS}: remove some.",
            code="too_many_regions",
        )
    try:
        return tuple(_prompt(raw, image) for raw in raws)
    except RegionError as error:
        raise BadRequestError(
            f"A point or box cannot be used: {error}.", code="bad_region"
        ) from error


def _prompts_in(context: Raw) -> Sequence[Raw]:
    """Return the prompts of the next editor; none where a region is of today's page."""
    result = context.get("result")
    if not isinstance(result, list) or not all(map(_is_bare, result)):
        return ()
    return result


def _is_bare(raw: object) -> bool:
    """Whether a region is only a place on the image.

    It names no tag that it was drawn with; and if it has a label, then no image to have it on, or
    its polarity where today's page has none.
    """
    if not isinstance(raw, Mapping) or raw.get("from_name"):
        return False
    value = raw.get("value")
    if not isinstance(value, Mapping) or not {"x", "y"} <= value.keys():
        return False
    has_label = any(value.get(key) for key in (str(raw.get("type")), "labels"))
    return not (has_label and raw.get("to_name") and "positive" not in value)


def _prompt(raw: Raw, image: ImageKey) -> Prompt:
    value = raw["value"]
    if "width" in value and "height" in value:
        return _box(value, image)
    x, y = (number(value[key], -_OUTSIDE, 100 + _OUTSIDE, key) / 100 for key in ("x", "y"))
    positive = polarity(raw, value)
    return Point(
        "",
        "",
        image,
        min(max(x, 0.0), 1.0),
        min(max(y, 0.0), 1.0),
        positive=True if positive is None else positive,
    )


def _box(value: Raw, image: ImageKey) -> Box:
    """Read a box, whichever way it was dragged; what lies outside the image is cut off."""
    x, y, width, height = (
        number(value[key], -_FAR, _FAR, key) / 100 for key in ("x", "y", "width", "height")
    )
    left, right = (min(max(edge, 0.0), 1.0) for edge in sorted((x, x + width)))
    top, bottom = (min(max(edge, 0.0), 1.0) for edge in sorted((y, y + height)))
    if left == right or top == bottom:
        raise RegionError(f"the box from {shown(x)}, {shown(y)} is empty or outside the image")
    return Box("", "", image, left, top, right - left, bottom - top, positive=True)
