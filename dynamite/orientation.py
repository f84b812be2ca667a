"""The orientation of pictures, read as Chromium reads it and applied to their pixels.

Browsers turn a picture by the EXIF tag "orientation". Other readers of EXIF accept it in more
forms, and would swap width and height where the browser does not. Chromium 156 reads:

* the tag only if its type is SHORT and its count is 1, in the first IFD or in its Exif IFD; the
  first one of 1 to 8 counts;
* in JPEG the first APP1 segment before the scan with EXIF, and be it one byte;
* in PNG the first chunk eXIf before the pixels whose checksum is right;
* in AVIF the picture's own rotation and mirroring, which Pillow tells as EXIF;
* nothing in WebP, GIF and BMP, and nothing in XMP.
"""

import io
import struct
import zlib
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_SHORT, _LONG = 3, 4
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_APP1, _LAST = b"\xe1", (b"\xda", b"\xd9", b"")
"""Marks of JPEG: of metadata; of the scan, the end of the picture, the end of the file."""

_EXIF_NAME = 6
"""Bytes of the name before the EXIF of a JPEG, with the byte of padding, which may be any."""

_MOST_PARTS = 10_000
"""Most segments or chunks of a file that are passed over."""

_MOST_EXIF = 1 << 24
"""Most bytes of a chunk that are read as EXIF."""


def orientation(file: BinaryIO) -> int:
    """Return the orientation of an image file, 1 to 8; 1 (as stored) if it says none.

    Args:
        file: is read from its start, and no further than needed.
    """
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    if start.startswith(_JPEG):
        exif = _in_jpeg(file)
    elif start.startswith(_PNG):
        exif = _in_png(file)
    elif start[4:8] == b"ftyp":
        exif = _in_avif(file)
    else:
        exif = b""
    return _of_tiff(exif)


def upright(pixels: npt.NDArray[np.uint8], value: int) -> npt.NDArray[np.uint8]:
    """Turn the pixels of a file as its orientation says: H×W×C as stored, H×W×C as shown."""
    if value >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if value in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if value in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def decode_upright(data: bytes) -> npt.NDArray[np.uint8] | None:
    """Decode a file as OpenCV does, turned by ``orientation``.

    Returns:
        uint8 H×W×3 RGB; None if it is not an image that OpenCV can read.
    """
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:  # its header asks for more than OpenCV allows
        pixels = None
    if pixels is None:
        return None
    return upright(pixels.astype(np.uint8, copy=False), orientation(io.BytesIO(data)))


def _in_jpeg(file: BinaryIO) -> bytes:
    """Return the EXIF of a JPEG, without its name."""
    file.seek(len(_JPEG))
    for _ in range(_MOST_PARTS):
        mark = file.read(2)
        if mark == b"\xff\xff":  # the first is a fill byte
            file.seek(-1, io.SEEK_CUR)
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        if mark[:1] != b"\xff" or mark[1:] in _LAST or length < 0:
            break
        if mark[1:] == _APP1:
            body = file.read(length)
            if body[:5] == b"Exif\0" and length > _EXIF_NAME:
                return body[_EXIF_NAME:]
        else:
            file.seek(length, io.SEEK_CUR)
    return b""


def _in_png(file: BinaryIO) -> bytes:
    """Return the EXIF of a PNG that stands before its pixels."""
    file.seek(len(_PNG))
    for _ in range(_MOST_PARTS):
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or kind == b"IDAT":
            break
        if kind == b"eXIf" and length <= _MOST_EXIF:
            body = file.read(length)
            if zlib.crc32(kind + body) == int.from_bytes(file.read(4), "big"):
                return body
        else:
            file.seek(length + 4, io.SEEK_CUR)
    return b""


def _in_avif(file: BinaryIO) -> bytes:
    try:
        with Image.open(io.BytesIO(file.read()), formats=["AVIF"]) as image:
            exif = image.info.get("exif", b"")
    except Exception:  # whoever reads the pixels says what is wrong
        return b""
    return bytes(exif).removeprefix(b"Exif\0\0")


def _of_tiff(exif: bytes) -> int:
    """Return the orientation in an EXIF block, which is a TIFF file without pixels."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return 1
    magic, offset = struct.unpack_from(f"{order}HI", exif, 2)
    return 1 if magic != 42 else _of_ifd(exif, order, offset, may_follow=True) or 1


def _of_ifd(exif: bytes, order: str, offset: int, *, may_follow: bool) -> int | None:
    """Return the orientation in the directory at ``offset``; None if it has none of 1 to 8."""
    if offset < 8 or offset + 2 > len(exif):
        return None
    (count,) = struct.unpack_from(f"{order}H", exif, offset)
    count = min(count, (len(exif) - offset - 2) // 12)
    for place in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", exif, place)
        found = None
        if (tag, kind, number) == (_ORIENTATION, _SHORT, 1):
            (found,) = struct.unpack_from(f"{order}H", exif, place + 8)
        elif (tag, kind, number) == (_EXIF_IFD, _LONG, 1) and may_follow:
            (inner,) = struct.unpack_from(f"{order}I", exif, place + 8)
            found = _of_ifd(exif, order, inner, may_follow=False)
            may_follow = False
        if found in range(1, 9):
            return found
    return None
