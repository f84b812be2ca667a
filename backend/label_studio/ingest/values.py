"""Values in what Label Studio sends or answers, checked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from backend.errors import BadRequestError

Json = Mapping[str, Any]
"""An object that Label Studio sent or answered."""


def number(values: Json, key: str) -> int:
    """Return a field that must be a whole number.

    Raises:
        BadRequestError: it is none, or too large for SQLite.
    """
    value = values.get(key)
    if not is_number(value):
        raise BadRequestError(f"{key} is {value!r}, not a number")
    return value


def is_number(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number that SQLite can hold, and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def moment(value: object) -> str:
    """Return a time as UTC with microseconds, so that later times sort later as text.

    Raises:
        BadRequestError: it is no time.
    """
    try:
        time = datetime.fromisoformat(str(value))
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):  # the latter: in UTC it lies before year 1 or after 9999
        raise BadRequestError(f"updated_at is {value!r}, not a time") from None
