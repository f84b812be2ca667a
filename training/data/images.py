"""Reading pictures: RGB, turned as their EXIF says, faults reported by name."""

from os import SEEK_END
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from dynamite.orientation import orientation
from training.data.problems import DatasetError

_TRANSPOSED = range(5, 9)
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
_TAIL = 64  # bytes at the end of a file in which its format's end mark lies as a rule

FAULTS = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
)
"""What pillow raises for files that are no pictures it would open."""

RGBImage = npt.NDArray[np.uint8]


def decode_image(data: bytes, source: str) -> RGBImage:
    """Encoded bytes as uint8 H×W×3 RGB, EXIF orientation applied; `source` names them in errors."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if pixels is None:
        raise DatasetError(f"{source}: not a readable image ({len(data)} bytes); replace the file")
    return pixels.astype(np.uint8, copy=False)


def read_image(path: Path) -> RGBImage:
    """The file as uint8 H×W×3 RGB."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    return decode_image(data, str(path))


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that none can have is no error either."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) as decode_image gives it; of usual formats from the file's head, its end being there.

    Raises:
        DatasetError: it is no picture that can be read.
    """
    try:
        with Image.open(path) as image:
            end = _ENDS.get(image.format or "")
            width, height = image.size
            turned = end is not None and orientation(image) in _TRANSPOSED
        if end is None:  # which of them OpenCV turns, and by what, is best asked of it
            pixels = read_image(path)
            return pixels.shape[0], pixels.shape[1]
        with path.open("rb") as file:
            file.seek(-min(_TAIL, path.stat().st_size), SEEK_END)
            whole = end in file.read()
    except FAULTS as error:
        raise DatasetError(f"{path}: not a readable image: {error}") from error
    if not whole:  # cut off, or with something behind the picture: decoding tells
        read_image(path)
    return (width, height) if turned else (height, width)
