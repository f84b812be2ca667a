"""Loads COCO jsons, also those of tools that write whole numbers as floats."""

import json
from pathlib import Path
from typing import Any

from training.data.problems import DatasetError

_WHOLE = {
    "images": ("id", "height", "width"),
    "annotations": ("id", "image_id", "category_id"),
    "categories": ("id",),
}
"""Keys that hold a whole number, by the list their entries are in."""


def load_json(path: Path) -> dict[str, Any]:
    """Load a COCO json: a dictionary with the lists ``images`` and ``annotations``.

    Ids and sizes such as ``3.0``, which pandas and numpy write, become whole numbers.

    Raises:
        DatasetError: the file cannot be read or is not a COCO json.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not json: {error}") from error
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DatasetError(f"{path}: not a COCO json: it has no list `{key}`")
    for part, keys in _WHOLE.items():
        listed = content.get(part)
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict):
                _make_whole(entry, keys)
    return dict(content)


def _make_whole(entry: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, float) and value.is_integer():
            entry[key] = int(value)
