"""Takes the first frame of an animated WebP out of its file.

libwebp composes an animation on canvases of four bytes per pixel, several at once: a file of a
hundred bytes takes five times the memory of its pixels.
"""

from typing import NamedTuple

from backend.errors import ImageUnreadableError

_ANIMATED, _ALPHA = 0x02, 0x10
_HEADER = 16  # of a frame: its place, its size, its time, and how it is put on the one before


class FirstFrame(NamedTuple):
    """A frame as a file of its own, and its place on the canvas in pixels."""

    file: bytes
    left: int
    top: int
    width: int
    height: int


def first_frame(data: bytes) -> FirstFrame | None:
    """Return the first frame of an animated WebP; None if the file is none, or has no frame.

    Raises:
        ImageUnreadableError: the frame holds no picture.
    """
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) <= 20:
        return None
    if not data[20] & _ANIMATED:
        return None
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"ANMF":
            return _frame(data[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    return None


def _frame(body: bytes) -> FirstFrame:
    left, top, width, height = (
        int.from_bytes(body[at : at + 3], "little") for at in range(0, 12, 3)
    )
    chunks = body[_HEADER:]
    if not chunks.startswith((b"ALPH", b"VP8 ", b"VP8L")):  # an animation again, for example
        raise ImageUnreadableError("the first frame of the animation is no picture")
    if chunks.startswith(b"ALPH"):  # only an extended file has transparency beside a lossy picture
        head = bytes([_ALPHA, 0, 0, 0]) + body[6:12]
        chunks = b"VP8X" + len(head).to_bytes(4, "little") + head + chunks
    file = b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks
    return FirstFrame(file, 2 * left, 2 * top, width + 1, height + 1)
