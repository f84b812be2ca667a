"""Pages as bytes, so that another process can go on with them: JSON, compressed; never pickle.

What is written names its layout, which is made of the fields of all classes. Processes of releases
with different layouts do not read each other's pages.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from hashlib import blake2b
from typing import Any

from backend.session.annotator_page import AnnotatorPage, PageObject, PagePrompt, Status
from backend.session.answer_plan import FractionalClick
from backend.session.bitmask import BitMask
from backend.session.hold_still import Heard
from backend.session.outline import Outline
from backend.session.paint import Paint, Stroke
from backend.session.prompts import Box, Point
from backend.session.regions import ImageKey
from backend.session.stored_masks import BrushRle, Png, Polygons

MAX_BYTES = 64_000_000
"""Most bytes that are unpacked, of a page's text and of each of its masks."""


@dataclass(frozen=True)
class KeptPage:
    """A page, and what its last answers were made from (``hold_still``)."""

    page: AnnotatorPage
    heard: Mapping[ImageKey, Heard] = field(default_factory=dict)


_CLASSES: tuple[type, ...] = (
    *(KeptPage, AnnotatorPage, PagePrompt, PageObject, Status, ImageKey, Heard, FractionalClick),
    *(Point, Box, Outline),
    *(BitMask, Paint, Stroke, BrushRle, Png, Polygons),
)
"""All that may be on a page: a new kind of prompt or of stored mask belongs here, too."""


def to_bytes(pages: Sequence[KeptPage]) -> bytes:
    """Return the pages of a task as bytes; ``from_bytes`` reads them."""
    text = json.dumps([_layout(), _plain(tuple(pages))], separators=(",", ":"))
    return zlib.compress(text.encode(), 1)


def from_bytes(data: bytes) -> tuple[KeptPage, ...]:
    """Read what ``to_bytes`` returned.

    Raises:
        ValueError: it is damaged, or was written by a release with another layout.
    """
    try:
        layout, pages = json.loads(_unpacked(data))
        if layout != _layout():
            raise ValueError("it has another layout")
        found: tuple[KeptPage, ...] = _whole(pages)
    except (zlib.error, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"these are no pages: {error}") from error
    if not all(isinstance(one, KeptPage) for one in found):
        raise ValueError("these are no pages")
    return found


@cache
def _by_name() -> dict[str, type]:
    return {one.__name__: one for one in _CLASSES}


@cache
def _layout() -> str:
    said = [(one.__name__, [(f.name, str(f.type)) for f in _fields(one)]) for one in _CLASSES]
    return blake2b(repr(said).encode(), digest_size=8).hexdigest()


def _fields(of: Any) -> Any:
    return fields(of) if is_dataclass(of) else ()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON lacks is an object with one name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    name, content = _named(value)
    return {name: content}


def _named(value: Any) -> tuple[str, Any]:
    if isinstance(value, frozenset):
        return "set", [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return "map", [[_plain(key), _plain(one)] for key, one in value.items()]
    if isinstance(value, bytes):
        return "bytes", b64encode(zlib.compress(value, 1)).decode()
    name = type(value).__name__
    if _by_name().get(name) is not type(value):
        raise TypeError(f"{name} cannot be on a page: add it to backend/session/page_bytes.py")
    if isinstance(value, Enum):
        return name, value.name
    return name, [_plain(getattr(value, one.name)) for one in _fields(value)]


def _whole(plain: Any) -> Any:
    """Return the value again."""
    if isinstance(plain, list):
        return tuple(_whole(one) for one in plain)
    if isinstance(plain, dict):
        ((name, content),) = plain.items()
        return _whole_named(name, content)
    return plain


def _whole_named(name: str, content: Any) -> Any:
    if name == "set":
        return frozenset(_whole(one) for one in content)
    if name == "map":
        return {_whole(key): _whole(one) for key, one in content}
    if name == "bytes":
        return _unpacked(b64decode(content))
    of = _by_name()[name]
    if issubclass(of, Enum):
        return of[content]
    values = zip(_fields(of), content, strict=True)
    return of(**{one.name: _whole(value) for one, value in values})


def _unpacked(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(data, MAX_BYTES)
    if not unpacking.eof:
        raise ValueError("it is cut off, or too large")
    return found
