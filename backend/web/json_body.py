"""Reads the body of a request strictly: its bytes, or their JSON."""

import json
import math
import re
from itertools import accumulate
from typing import Any

from flask import request
from werkzeug.exceptions import HTTPException

from backend.errors import BadRequestError, NotJsonError

DEEPEST = 100
"""How deeply a body may nest; Label Studio's nest about ten deep, apart from a task's own data."""

_NO_BRACKETS = re.compile(r'[^\[\]{}"]+|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Everything of a JSON text but its brackets: strings whole, since theirs do not nest."""

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_body(most_bytes: int | None = None) -> dict[str, Any]:
    """The JSON object in the body of the current request.

    Args:
        most_bytes: how large it may be, if less than all requests may.

    Raises:
        NotJsonError: it is not JSON, nests too deeply, or holds NaN, a number of absurd length or
            half a character.
        BadRequestError: it is JSON, but not an object, or it does not arrive whole.
        RequestEntityTooLarge: it has too many bytes.
    """
    if not request.is_json:
        raise NotJsonError("the request must have the content type application/json")
    try:
        text = raw_body(most_bytes).decode()
        _check_depth(text)
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be stored
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else _reason(error)
        raise NotJsonError(f"the request's body cannot be read as JSON: {reason}") from None
    if not isinstance(value, dict):
        raise BadRequestError(f"the request must be a JSON object, not a {type(value).__name__}")
    return value


def raw_body(most_bytes: int | None = None) -> bytes:
    """The bytes of the body of the current request.

    Args:
        most_bytes: how many there may be, if fewer than in all requests.

    Raises:
        BadRequestError: they do not arrive whole, which is the client's fault.
        RequestEntityTooLarge: they are too many.
    """
    most = request.max_content_length
    if most_bytes is not None and (most is None or most_bytes < most):
        request.max_content_length = most_bytes
    try:
        body = request.get_data()
    except HTTPException:
        raise
    except Exception as error:  # the web server's own, which quote the body
        raise BadRequestError(
            f"the request's body does not arrive as HTTP says ({type(error).__name__}): send it "
            "whole, in time and with correct lengths"
        ) from None
    if len(body) < (request.content_length or 0):
        raise BadRequestError(
            f"the request's body ends after {len(body):,} of {request.content_length:,} bytes: "
            "send it whole and within a minute"
        )
    return body


def _check_depth(text: str) -> None:
    """Raise ValueError if a text nests too deeply, before a parser recurses into it."""
    if text.count("[") + text.count("{") <= DEEPEST:  # quick, where a body is one long string
        return
    brackets = _NO_BRACKETS.sub("", text)
    depths = accumulate(1 if bracket in "[{" else -1 for bracket in brackets)
    if max(depths, default=0) > DEEPEST:
        raise ValueError(f"it nests more than {DEEPEST} deep")


def _reason(error: ValueError) -> str:
    """Return what is wrong, without the text of the body that the error may hold."""
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        return f"{error.reason} at {error.start}"
    return str(error)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number
