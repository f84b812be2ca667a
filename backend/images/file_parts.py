"""Counts the parts of a file that Pillow reads one by one, in Python, when it opens an image.

Each costs some microseconds, and those of some kinds cost more the more there are.
"""

from collections.abc import Iterator
from itertools import islice

from backend.errors import ImageUnreadableError

MAX_PARTS = 100_000
"""Segments of a JPEG, chunks of a PNG, blocks of a GIF; a PNG of 100 MB has about 12,000."""

MAX_RUN_BYTES = 4_000_000
"""Size of a BMP that is compressed in runs, which Pillow decodes in Python, too."""

_SCAN = 0xDA
_LENGTHLESS = frozenset({0x01, *range(0xD0, 0xDA)})


def check_parts(data: bytes) -> None:
    """Check that a file has not very many parts; a file of another format passes.

    Raises:
        ImageUnreadableError: it has.
    """
    for start, parts in (b"\xff\xd8", _jpeg), (b"\x89PNG", _png), (b"GIF8", _gif):
        if data.startswith(start) and next(islice(parts(data), MAX_PARTS, None), None) is not None:
            raise ImageUnreadableError(
                f"the image file has more than {MAX_PARTS} segments, which would take minutes to "
                "read: save it again"
            )
    if data.startswith(b"BM") and data[30:31] in b"\1\2" and len(data) > MAX_RUN_BYTES:
        raise ImageUnreadableError(
            f"the BMP is compressed in runs and has {len(data)} bytes, more than {MAX_RUN_BYTES}, "
            "which would take minutes to read: save it as PNG"
        )


def _jpeg(data: bytes) -> Iterator[int]:
    """The positions of the segments before the first scan, and of bytes between them."""
    position = 2
    while position + 4 <= len(data):
        yield position
        marker = data[position + 1]
        if data[position] != 0xFF or marker in (0x00, 0xFF):
            position += 1
        elif marker == _SCAN:
            return
        elif marker in _LENGTHLESS:
            position += 2
        else:
            position += 2 + max(2, int.from_bytes(data[position + 2 : position + 4]))


def _png(data: bytes) -> Iterator[int]:
    """The positions of all chunks."""
    position = 8
    while position < len(data):
        yield position
        position += 12 + int.from_bytes(data[position : position + 4])


def _gif(data: bytes) -> Iterator[int]:
    """The positions of the blocks before the first frame, and of bytes between them."""
    flags = data[10] if len(data) > 10 else 0
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while position < len(data):
        yield position
        if data[position] == 0x2C:
            return
        if data[position] != 0x21:
            position += 1
            continue
        position += 2
        while position < len(data) and (size := data[position]):
            yield position
            position += 1 + size
        position += 1
