"""Prepares files for Pillow, so that it reads the frame that a browser shows first.

Browsers pass over metadata that they cannot read. Pillow refuses a whole PNG for it: for text or a
color profile of more than 1 MB, or for a wrong checksum of a chunk that says nothing about pixels;
and a whole JPEG for a segment of metadata that is too short.
"""

import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_END, _SCAN = b"\xff\xd9", b"\xff\xda"
_RUBBISH = b"\xaa" * 255  # decodes to other pixels than the zeros that stand in for missing data
_ALPHA = 0x10
"""The flag in the header of an extended WebP which says that there may be transparency."""

_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Marks of a JPEG's segments for applications and comments."""

_COLOR_MODEL = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
"""The two of them that say how colors are coded: their name, and their least number of bytes."""

_TRANSPARENCY = {0: range(2, 2**31), 2: range(6, 2**31), 3: range(1, 257)}
"""Sizes of a PNG's transparency, by its type of color."""

MAX_CHUNKS = 100_000
"""Most chunks of a PNG that are looked at."""


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview
    whole: memoryview | bytes

    @property
    def is_sound(self) -> bool:
        return _checksum(self.kind, self.body) == self.whole[-4:]


def pixels_only(data: bytes) -> bytes:
    """Return a JPEG, PNG or WebP as Pillow can read it; another file as it is.

    A JPEG or PNG keeps what its pixels need. The frames of an animated PNG stay only if its first
    picture is not one of them: it is for programs without animation, and browsers start with
    frame 1.
    """
    if data.startswith(_PNG):
        chunks = list(_chunks(data))
        needed = list(_needed(chunks))
        if [id(chunk.whole) for chunk in chunks] == [id(part) for part in needed]:
            return data  # nothing to leave out: save the copy
        return b"".join([_PNG, *needed])
    if data.startswith(_JPEG):
        return b"".join(_without_metadata(data))
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) > 20:
        # Around the first frame of an animation it is transparent, whatever the header says.
        return data[:20] + bytes([data[20] | _ALPHA]) + data[21:]
    return data


def with_end_mark(data: bytes) -> bytes:
    """Return a JPEG with its end mark, if nothing else is missing; else as it is.

    Nothing is missing if the decoder reads the same pixels whatever stands behind the data.
    """
    if data.endswith(_END) or data.rfind(_END) > data.rfind(_SCAN):
        return data
    pixels = data.removesuffix(_END[:1])
    ended, longer = pixels + _END, pixels + _RUBBISH + _END
    try:
        return ended if np.array_equal(_jpeg(ended), _jpeg(longer)) else data
    except OSError:
        return data


def _jpeg(data: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.asarray(image)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks of a PNG up to its end; the last one may be cut off."""
    view, place = memoryview(data), len(_PNG)
    for _ in range(MAX_CHUNKS):
        if place + 8 > len(data):
            return
        kind = data[place + 4 : place + 8]
        end = place + 12 + int.from_bytes(view[place : place + 4], "big")
        yield _Chunk(kind, view[place + 8 : min(end - 4, len(data))], view[place:end])
        if kind == b"IEND":
            return
        place = end


def _without_metadata(data: bytes) -> Iterator[bytes]:
    """Yield the parts of a JPEG without segments of metadata; all from where it is damaged."""
    view, place, kept = memoryview(data), len(_JPEG), 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        mark, length = data[place + 1], int.from_bytes(view[place + 2 : place + 4], "big")
        if mark == 0xFF:  # a fill byte
            place += 1
            continue
        end = place + 2 + length
        if mark == _SCAN[1] or mark < 0xC0 or 0xD0 <= mark <= 0xD9 or length < 2:
            break
        name, least = _COLOR_MODEL.get(mark, (b"", 0))
        body = data[place + 4 : end] if least else b""
        is_needed = least and body.startswith(name) and len(body) >= least
        if mark in _METADATA and not is_needed:
            yield data[kept:place]
            kept = end
        place = end
    yield data[kept:]


def _needed(chunks: list[_Chunk]) -> Iterator[memoryview | bytes]:
    animates = _starts_behind_its_picture(chunks)
    transparency = _transparency(chunks)
    for chunk in chunks:
        is_critical = not chunk.kind[0] & 0x20
        if is_critical or chunk is transparency:
            yield chunk.whole
        elif animates and chunk.kind == b"fcTL":
            yield _replacing(chunk)
        elif animates and chunk.kind in (b"acTL", b"fdAT"):
            yield chunk.whole


def _transparency(chunks: list[_Chunk]) -> _Chunk | None:
    """Return the transparency that counts: the first sound one that stands where it may."""
    header = chunks[0].body if chunks else b""
    kind = header[9] if len(header) > 9 else 0
    has_palette = False
    for chunk in chunks:
        if chunk.kind == b"IDAT":
            break
        has_palette = has_palette or chunk.kind == b"PLTE"
        fits = len(chunk.body) in _TRANSPARENCY.get(kind, ()) and (has_palette or kind != 3)
        if chunk.kind == b"tRNS" and chunk.is_sound and fits:
            return chunk
    return None


def _replacing(control: _Chunk) -> bytes:
    """The control of a frame that replaces what was there, as it does in the first frame."""
    body = bytes(control.body[:-1]) + b"\0"
    return len(body).to_bytes(4, "big") + b"fcTL" + body + _checksum(b"fcTL", body)


def _checksum(kind: bytes, body: memoryview | bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _starts_behind_its_picture(chunks: list[_Chunk]) -> bool:
    """Whether an animation starts with a frame that is not the picture itself."""
    kinds = [chunk.kind for chunk in chunks]
    if not {b"acTL", b"IDAT", b"fcTL", b"fdAT"} <= set(kinds):
        return False
    control, pixels = kinds.index(b"acTL"), kinds.index(b"IDAT")
    frames = int.from_bytes(chunks[control].body[:4], "big")
    return control < pixels < kinds.index(b"fcTL") and frames > 0 and chunks[control].is_sound
