"""Reads the JSON body of a request strictly."""

import json
import math
import re
from typing import Any

from flask import request

from backend.errors import BadRequestError, NotJsonError

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_body() -> dict[str, Any]:
    """The JSON object in the body of the current request.

    Raises:
        NotJsonError: it is not JSON, nests too deeply, or holds NaN, a number of absurd length or
            half a character.
        BadRequestError: it is JSON, but not an object.
    """
    if not request.is_json:
        raise NotJsonError("the request must have the content type application/json")
    try:
        text = request.get_data().decode()
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be stored
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise NotJsonError(f"the request's body cannot be read as JSON: {reason}") from None
    if not isinstance(value, dict):
        raise BadRequestError(f"the request must be a JSON object, not a {type(value).__name__}")
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number
