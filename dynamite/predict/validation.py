"""What ``Predictor`` is given, checked: values of the right kind, sizes that can be made."""

from collections.abc import Iterable
from operator import index
from typing import Any, TypeVar

from dynamite.errors import InvalidInputError

MAX_PIXELS = 2**29
"""Of the largest label map that may be asked for: 1 GB."""

Kind = TypeVar("Kind")


def of_kind(value: Any, kind: type[Kind], name: str) -> Kind:
    """The value, if it is a ``kind``; otherwise ``InvalidInputError``."""
    if not isinstance(value, kind):
        raise InvalidInputError(f"{name} must be {kind.__name__}, not {_shown(value)}")
    return value


def list_of(given: Any, kind: type[Kind], name: str) -> list[Kind]:
    """One ``kind`` or several as a list; anything else raises ``InvalidInputError``."""
    single = isinstance(given, kind) or not isinstance(given, Iterable)
    return [of_kind(one, kind, name) for one in ([given] if single else given)]


def checked_size(size: Any) -> tuple[int, int]:
    """``size`` as plain (H, W), if a label map can have it; otherwise ``InvalidInputError``."""
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


def _shown(value: Any) -> str:
    plain = value is None or isinstance(value, str | int | float)
    return repr(value) if plain else f"of type {type(value).__name__}"
