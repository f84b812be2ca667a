"""Checks how the first picture of a TIFF is cut into tiles or strips, before it is opened.

The format lets a small file ask for gigabytes: one tile may be much larger than the picture, or a
picture one pixel wide may have thousands of wide tiles.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress

from backend.errors import ImageUnreadableError

MAX_PIECES = 200_000
"""Most tiles or strips: those of 50 megapixels in the smallest tiles, 16×16."""

SPARE_PIXELS = 2**22
"""Pixels that all tiles of a small picture may have together."""

_ALLOWANCE = 4  # times the picture's own pixels
_WIDTH, _HEIGHT, _STRIPS, _TILE_WIDTH, _TILE_HEIGHT, _TILES = 256, 257, 273, 322, 323, 324
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I", 16: "Q", 17: "Q"}
_STARTS = (b"II*\0", b"II\0*", b"II+\0", b"MM\0*", b"MM*\0")  # as Pillow knows them
_BIG_ENDIAN_BIG = b"MM\0+"  # Pillow and libtiff would read different directories of it


def check_tiff(data: bytes) -> None:
    """Check the tiles and strips of a TIFF; another file passes.

    Raises:
        ImageUnreadableError: they have far more pixels than the picture, or are too many.
    """
    if data.startswith(_BIG_ENDIAN_BIG):
        raise ImageUnreadableError("a BigTIFF in big-endian order cannot be read: save it again")
    if not data.startswith(_STARTS):
        return
    pieces = 0
    sizes = dict.fromkeys((_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT), 0)
    with suppress(struct.error):  # cut off; opening it says so
        for tag, count, value in _entries(data):
            if tag in (_STRIPS, _TILES):
                pieces = max(pieces, count)
            elif tag in sizes:
                sizes[tag] = max(sizes[tag], value)
    if pieces > MAX_PIECES:
        raise ImageUnreadableError(
            f"the TIFF is cut into {pieces} pieces, more than {MAX_PIECES}: save it with larger "
            "ones"
        )
    width, height, tile_width, tile_height = sizes.values()
    tiled = pieces * tile_width * tile_height
    if tiled > max(_ALLOWANCE * width * height, SPARE_PIXELS):
        raise ImageUnreadableError(
            f"the TIFF has {width}×{height} pixels, but {pieces} tiles of "
            f"{tile_width}×{tile_height}: save it with smaller ones"
        )


def _entries(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, count and first value of each entry of the first directory.

    The value is right where it stands in the entry itself, as the sizes do.
    """
    order = "<" if data[:2] == b"II" else ">"
    if data[2] == 43:
        (start,) = struct.unpack_from(f"{order}Q", data, 8)
        (entries,) = struct.unpack_from(f"{order}Q", data, start)
        start, head, size = start + 8, f"{order}HHQ", 20
    else:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, start)
        start, head, size = start + 2, f"{order}HHI", 12
    for position in range(start, min(start + entries * size, len(data)), size):
        tag, kind, count = struct.unpack_from(head, data, position)
        value_at = position + struct.calcsize(head)
        (value,) = struct.unpack_from(order + _NUMBERS.get(kind, "I"), data, value_at)
        yield tag, count, value
