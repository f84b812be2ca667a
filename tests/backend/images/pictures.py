"""A picture in four colors, as files of every kind, and what must be seen of it."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from backend.images.decode import decode

H, W = 40, 60
CAP = 10_000
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 200, 200)
ORIENTATION = 0x0112

picture = np.zeros((H, W, 3), np.uint8)
picture[:20, :30], picture[:20, 30:] = RED, GREEN
picture[20:, :30], picture[20:, 30:] = BLUE, GREY


def as_file(image: Image.Image | np.ndarray, kind: str, **how: Any) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right."""
    height, width = pixels.shape[:2]
    places = [(3, 3), (3, width - 4), (height - 4, 3), (height - 4, width - 4)]
    return [tuple(pixels[place].tolist()) for place in places]


def assert_shows(data: bytes, expected: list[tuple[int, int, int]], tolerance: int = 3) -> None:
    pixels = decode(data, max_pixels=CAP)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    np.testing.assert_allclose(corners(pixels), expected, atol=tolerance)


AS_IS = [RED, GREEN, BLUE, GREY]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*extra: bytes, before: bytes = b"IDAT", image: np.ndarray = picture) -> bytes:
    data = as_file(image, "PNG")
    place = data.index(before) - 4
    return data[:place] + b"".join(extra) + data[place:]


def spoilt(chunk: bytes) -> bytes:
    return chunk[:-4] + b"\0\0\0\0"


NOISE = np.random.default_rng(0).integers(0, 256, 1_500_000, dtype=np.uint8).tobytes()


METADATA = {
    "large zTXt": png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"a" * 2_000_000)),
    "large iTXt": png_chunk(b"iTXt", b"XML\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
    "large iCCP": png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(NOISE)),
    "large tEXt": png_chunk(b"tEXt", b"c\0" + b"a" * 2_000_000),
    "broken zTXt": png_chunk(b"zTXt", b"k\0\0rubbish"),
    "short tRNS": png_chunk(b"tRNS", b"\0"),
    "empty tRNS": png_chunk(b"tRNS", b""),
} | {
    f"checksum of {kind.decode()}": spoilt(png_chunk(kind, bytes(9)))
    for kind in (b"tEXt", b"gAMA", b"pHYs", b"iCCP", b"tRNS", b"acTL", b"eXIf", b"abCd")
}


def segment(body: bytes, mark: int) -> bytes:
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*extra: bytes, mode: str = "RGB") -> bytes:
    data = as_file(Image.fromarray(picture).convert(mode), "JPEG", quality=95, subsampling=0)
    return data[:2] + b"".join(extra) + data[2:]


SEGMENTS = {
    "short Adobe": segment(b"Adobe\0", 0xEE),
    "Adobe of 11 bytes": segment(b"Adobe\0\x64\0\0\0\0", 0xEE),
    "short JFIF": segment(b"JFIF\0\1", 0xE0),
    "one byte of JFIF": segment(b"J", 0xE0),
    "empty MPF": segment(b"MPF\0", 0xE2),
    "broken MPF": segment(b"MPF\0rubbish", 0xE2),
    "broken ICC": segment(b"ICC_PROFILE\0\1\1rubbish", 0xE2),
    "a missing piece of ICC": segment(b"ICC_PROFILE\0\5\2xx", 0xE2),
    "cut Photoshop": segment(b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\x10abc", 0xED),
    "empty EXIF": segment(b"Exif\0\0", 0xE1),
    "empty comment": segment(b"", 0xFE),
    "fill bytes": b"\xff\xff",
}


def with_transparency(*chunks: bytes, before: bytes = b"IDAT", colors: int = 0) -> bytes:
    """A PNG with chunks; in a palette of so many colors, if any."""
    image = Image.fromarray(picture)
    data = as_file(image.quantize(colors) if colors else image, "PNG")
    place = data.index(before) - 4
    return data[:place] + b"".join(chunks) + data[place:]


_RED, _BLUE = (png_chunk(b"tRNS", struct.pack(">HHH", *color)) for color in (RED, BLUE))
TRANSPARENT = {
    "red": (with_transparency(_RED), [(255, 255, 255), GREEN, BLUE, GREY]),
    "the first counts": (with_transparency(_RED, _BLUE), [(255, 255, 255), GREEN, BLUE, GREY]),
    "behind the pixels": (with_transparency(_RED, before=b"IEND"), AS_IS),
    "before the palette": (
        with_transparency(png_chunk(b"tRNS", bytes(4)), before=b"PLTE", colors=4),
        AS_IS,
    ),
    "too many for the palette": (
        with_transparency(png_chunk(b"tRNS", bytes(300)), colors=4),
        AS_IS,
    ),
}
"""PNGs with one transparent color, and what is seen of them on white."""
