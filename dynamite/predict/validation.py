"""Checks of what ``Predictor`` is given: types, and output sizes."""

from collections.abc import Iterable
from operator import index
from typing import Any, TypeVar

from dynamite.errors import InvalidInputError

MAX_PIXELS = 2**29
"""Pixels of the largest label map: 1 GB."""

Kind = TypeVar("Kind")


def require_type(value: Any, kind: type[Kind], name: str) -> Kind:
    """Return the value.

    Raises:
        InvalidInputError: it is not a ``kind``; the message calls it ``name``.
    """
    if not isinstance(value, kind):
        raise InvalidInputError(f"{name} must be {kind.__name__}, not {_describe(value)}")
    return value


def require_list(given: Any, kind: type[Kind], name: str) -> list[Kind]:
    """Return one ``kind`` or several as a list.

    Raises:
        InvalidInputError: something else; the message calls it ``name``.
    """
    single = isinstance(given, kind) or not isinstance(given, Iterable)
    return [require_type(one, kind, name) for one in ([given] if single else given)]


def require_output_size(size: Any) -> tuple[int, int]:
    """Return ``size`` as (H, W) of two Python integers.

    Raises:
        InvalidInputError: not two whole numbers, below 1×1 or over ``MAX_PIXELS`` pixels.
    """
    try:
        height, width = map(index, size)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"output_size={size!r} must be (height, width) in whole pixels"
        ) from None
    if min(height, width) < 1:
        raise InvalidInputError(f"output_size={(height, width)} is below 1×1")
    if height * width > MAX_PIXELS:
        raise InvalidInputError(
            f"output_size={(height, width)} is over the limit of {MAX_PIXELS} pixels"
        )
    return height, width


def _describe(value: Any) -> str:
    plain = value is None or isinstance(value, str | int | float)
    return repr(value) if plain else f"of type {type(value).__name__}"
