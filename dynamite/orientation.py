"""Reads the orientation of a picture file as browsers do, and turns its pixels upright."""

import numpy as np
import numpy.typing as npt
from PIL import Image

_TAG = 0x0112


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (unrotated) if there is none or it is broken.

    ``image.getexif`` is not used, because it also reads XMP.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        value = exif.get(_TAG, 1)
    except Exception:  # browsers ignore broken EXIF, too
        return 1
    return value if value in range(1, 9) else 1


def upright(pixels_HWC: npt.NDArray[np.uint8], value: int) -> npt.NDArray[np.uint8]:
    """Turn stored pixels by an EXIF orientation: 5 to 8 swap the axes, then come the flips."""
    if value >= 5:
        pixels_HWC = pixels_HWC.transpose(1, 0, 2)
    if value in (3, 4, 7, 8):
        pixels_HWC = pixels_HWC[::-1]
    if value in (2, 3, 6, 7):
        pixels_HWC = pixels_HWC[:, ::-1]
    return np.ascontiguousarray(pixels_HWC)
