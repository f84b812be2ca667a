"""Encodes masks as PNG and back: one bit per pixel, with a palette of two colours.

Index 0 is transparent black, index 1 opaque white. So both ways to read a mask from a picture see
the same one: by its alpha, and by its red on a transparent canvas.

Encoding is our own: the rows of such a PNG are the packed bits of the mask, and zlib does the rest.
Decoding takes any PNG, because a mask that was corrected by hand comes back in another form.
"""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import ImageFile
from PIL.PngImagePlugin import PngImageFile

from dynamite.errors import InvalidInputError

MAX_PIXELS = 2**28
"""Pixels of the largest mask decoded, where nobody says otherwise: a file of 300 kB can claim more
than a server's memory. Decoding takes up to five bytes for each."""

SOLID = 127
"""Alpha above which an antialiased pixel counts."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVEL = 4  # of zlib: twice as fast as 6, and seldom 5 % larger
_PALETTE = bytes([0, 0, 0, 255, 255, 255])
_TRANSPARENT = b"\x00"  # alpha of index 0; index 1 is opaque


def encode(mask: npt.NDArray[np.bool_]) -> bytes:
    """Return the PNG of a mask.

    Args:
        mask: (H, W) bool.

    Raises:
        InvalidInputError: not a two-dimensional array of bool with pixels.
    """
    if not isinstance(mask, np.ndarray):
        raise InvalidInputError(f"a mask is a numpy array, but this is a {type(mask).__name__}")
    if mask.ndim != 2 or mask.dtype != np.bool_ or not mask.size:
        raise InvalidInputError(
            f"a mask is an H×W array of bool with pixels, but this one is {mask.shape} of "
            f"{mask.dtype}"
        )
    height, width = mask.shape
    packed = np.packbits(mask, axis=1)
    rows = np.zeros((height, packed.shape[1] + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = packed
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)  # 1 bit, palette
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", _PALETTE),
            _chunk(b"tRNS", _TRANSPARENT),
            _chunk(b"IDAT", zlib.compress(rows.data, _LEVEL)),
            _chunk(b"IEND", b""),
        )
    )


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> npt.NDArray[np.uint8]:
    """Return the alpha channel of a PNG, (H, W) uint8; 255 everywhere where it has none.

    Nothing as large as the mask is allocated before its size is checked.

    Raises:
        InvalidInputError: not a PNG, one that is damaged or cut off, or more than ``max_pixels``
            pixels.
    """
    width, height = _size(data)
    if not 0 < height * width <= max_pixels:
        raise InvalidInputError(
            f"cannot decode a mask of {height}×{width} pixels: 1 to {max_pixels} are allowed"
        )
    try:
        with PngImageFile(io.BytesIO(data)) as image:
            if image.size != (width, height):
                raise ValueError("a second header states another size")
            return _alpha(image)
    except Exception as error:  # decoders raise anything on damaged files
        raise InvalidInputError(
            f"the PNG of a mask is damaged or cut off ({len(data)} bytes): {error}"
        ) from error


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height as the header says."""
    if data[:8] != _SIGNATURE or data[12:16] != b"IHDR" or len(data) < 24:
        raise InvalidInputError(f"{len(data)} bytes that begin with {data[:8].hex()} are no PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _alpha(image: ImageFile.ImageFile) -> npt.NDArray[np.uint8]:
    transparent = image.info.get("transparency")
    if image.mode == "P" and transparent is not None:
        alphas = np.full(256, 255, np.uint8)
        if isinstance(transparent, bytes):
            alphas[: len(transparent)] = np.frombuffer(transparent, np.uint8)
        else:
            alphas[transparent] = 0
        indexes: npt.NDArray[np.uint8] = np.asarray(image)
        return np.take(alphas, indexes)
    if transparent is not None:
        return np.asarray(image.convert("RGBA").getchannel("A"))
    if image.mode in ("LA", "RGBA"):
        return np.asarray(image.getchannel("A"))
    image.load()  # to find damage
    return np.full((image.height, image.width), 255, np.uint8)
