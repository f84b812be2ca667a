"""Checks how much of a JPEG there is to decode: its scans, and bytes for its pixels."""

import re

from backend.errors import ImageUnreadableError

MAX_SCANS = 50
"""Most scans of a progressive JPEG. Encoders make about ten; each may cost a pass over all pixels,
and a file can hold thousands of empty ones."""

_PIXELS_PER_BYTE = 512  # a block of 8×8 pixels takes one bit at least
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_SCAN, _END = 0xDA, 0xD9
_LENGTHLESS = frozenset({0x01, *range(0xD0, 0xD9)})


def check_jpeg(data: bytes, width: int, height: int) -> None:
    """Check a JPEG that claims to have ``width`` × ``height`` pixels; nothing is decoded.

    Raises:
        ImageUnreadableError: it is too short for its pixels, or has more than ``MAX_SCANS`` scans.
    """
    if len(data) * _PIXELS_PER_BYTE < width * height:
        raise ImageUnreadableError(
            f"the image is damaged or truncated ({len(data)} bytes): a JPEG of {width}×{height} "
            f"pixels takes {width * height // _PIXELS_PER_BYTE} bytes at least"
        )
    if _count_scans(data) > MAX_SCANS:
        raise ImageUnreadableError(
            f"the JPEG has more than {MAX_SCANS} scans, which would take minutes to decode: save "
            "it again"
        )


def _count_scans(data: bytes) -> int:
    """The scans up to the end of the first picture, at most one more than ``MAX_SCANS``.

    Markers inside segments, such as those of a thumbnail, do not count.
    """
    scans = 0
    position = 2
    while scans <= MAX_SCANS and (found := _MARKER.search(data, position)):
        marker, position = found[1][0], found.end()
        if marker == _END:
            break
        if marker in _LENGTHLESS:
            continue
        scans += marker == _SCAN
        position += int.from_bytes(data[position : position + 2])
    return scans
