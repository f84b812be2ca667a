"""Reads images as RGB, turned as browsers turn them; errors name the file."""

from os import SEEK_END
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from dynamite.orientation import decode_upright, orientation
from training.data.problems import DatasetError

_TRANSPOSED = range(5, 9)
"""EXIF orientations that swap width and height."""

_END_MARKS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
_TAIL = 64
"""The end mark of a format is looked for in this many bytes at the end of a file."""

FAULTS = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
)
"""Exceptions that pillow raises for files it cannot open as images."""

RGBImage = npt.NDArray[np.uint8]


def decode_image(data: bytes, source: str) -> RGBImage:
    """Decode an image file.

    Args:
        data: the bytes of the file.
        source: its name for error messages.

    Returns:
        uint8 H×W×3 RGB, in the orientation that a browser shows.

    Raises:
        DatasetError: the bytes are not a readable image.
    """
    pixels = decode_upright(data)
    if pixels is None:
        raise DatasetError(f"{source}: not a readable image ({len(data)} bytes); replace the file")
    return pixels


def read_image(path: Path) -> RGBImage:
    """Read a file as ``decode_image`` does."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    return decode_image(data, str(path))


def is_file(path: Path) -> bool:
    """Whether the file exists; False also for an impossible name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def image_size(path: Path) -> tuple[int, int]:
    """Return the size (H, W) that ``decode_image`` gives.

    Files of the usual formats are not decoded: their header is read and their end mark checked.

    Raises:
        DatasetError: the file is not a readable image.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            end = _END_MARKS.get(image.format or "")
            width, height = image.size
            turned = orientation(file) in _TRANSPOSED
            file.seek(-min(_TAIL, path.stat().st_size), SEEK_END)
            whole = end is not None and end in file.read()
    except Image.DecompressionBombError as error:
        raise DatasetError(f"{path}: not a readable image: {error}") from error
    except FAULTS:  # pillow minds metadata that says nothing about the pixels
        whole = False
    if not whole:  # a format without an end mark, cut off, or followed by other data
        pixels = read_image(path)
        return pixels.shape[0], pixels.shape[1]
    return (width, height) if turned else (height, width)
