"""Resolves the value of a tag in a task's data, as Label Studio's page does.

=========================== ========================================================
value                       stands for
=========================== ========================================================
``$image``                  the field ``image``
``$photo.url``, ``$a[0]``   the field of that very name; else the value at that path
``https://host/$name``      the text, with each variable replaced
``https://host/a.png``      itself
=========================== ========================================================
"""

import re
from collections.abc import Mapping

MAX_TEXT = 8_000_000
"""Most characters of a text whose variables are replaced."""

_VARIABLE = re.compile(r"\$[\w[\].{}]+", re.ASCII)
_STEP = re.compile(r"\[([^\]]*)\]?|([^.[]+)")
_INDEX = re.compile("0|[1-9][0-9]{0,8}")


def resolve(value: str, data: Mapping[str, object]) -> object:
    """Return what ``value`` of a tag stands for in the data of a task.

    Returns:
        Any JSON value; None where the data does not have it.
    """
    if value.startswith("$") and value[1:] in data:
        return data[value[1:]]
    if _VARIABLE.fullmatch(value):
        return _at(value[1:], data)
    return _replaced(value, data)


def is_fixed(value: str) -> bool:
    """Return whether ``value`` stands for the same in every task."""
    return value == "$" or (not value.startswith("$") and _VARIABLE.search(value) is None)


def _replaced(value: str, data: Mapping[str, object]) -> str | None:
    """Replace each variable in a text; None if one has no text."""
    pieces, end, length = [], 0, 0
    for match in _VARIABLE.finditer(value):
        text = _text(_at(match[0][1:], data))
        if text is None:
            return None
        pieces += [value[end : match.start()], text]
        end = match.end()
        length += len(text)
        if length > MAX_TEXT:
            return None
    return "".join([*pieces, value[end:]])


def _at(path: str, data: Mapping[str, object]) -> object:
    """Return the field of this name, else the value at this path; None if there is neither."""
    if path in data:
        return data[path]
    found: object = data
    for match in _STEP.finditer(path):
        step = match[1] if match[2] is None else match[2]
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and _INDEX.fullmatch(step) and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _text(value: object) -> str | None:
    """Return a value as JavaScript writes it into a text; None for what is no text or number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None
