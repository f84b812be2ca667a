"""Format versions of small files: newer releases read older ones, older releases refuse newer ones.

A file that names no version is of the first one. A release that changes what a file means, or adds
a field to it, writes its new version under ``KEY``.
"""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

KEY = "format"


def refusal(values: MutableMapping[str, Any], known: int, path: Path) -> str | None:
    """Take the format version out of what a file holds; return why this release cannot read it.

    Args:
        values: contents of the file; the version is removed.
        known: highest version that this release reads.
        path: the file, for the message.
    """
    found = values.pop(KEY, 1)
    if str(found).isdecimal() and 1 <= int(found) <= known:
        return None
    return (
        f"{path} has format version {str(found)[:20]}, this release reads up to {known}: install "
        "the release that wrote it, or a newer one"
    )
