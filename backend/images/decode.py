"""Image files as RGB pixels in the frame that the browser shows.

The annotator's coordinates are those of the picture on the screen, so what Chromium does is right:

* Orientation comes from EXIF in JPEG, PNG and AVIF. Chromium does not turn WebP by its EXIF, and
  nothing by its XMP.
* 16-bit values lose their low byte. 32-bit and float pictures, which no browser shows, are
  stretched between their smallest and largest finite value.
* Transparency lies on white, the background of Label Studio's canvas.
* CMYK becomes RGB without a color profile, and other profiles are ignored as well: they change
  colors a little but move nothing.
* Of an animation the first frame counts.
"""

import io
from hashlib import sha256

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from backend.images.errors import ImageError, ImageTooLargeError, ImageUnreadableError
from dynamite.orientation import orientation

FRAME = 1
"""Goes up whenever the same file would become other pixels, as features of it are kept."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
_TURNED_BY_EXIF = ("JPEG", "MPO", "PNG", "AVIF")  # Pillow itself turns TIFF

Image.MAX_IMAGE_PIXELS = None  # Pillow's own cap comes before ours and cannot be configured

Pixels = npt.NDArray[np.uint8]


def digest(data: bytes) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal: the name of its content."""
    return sha256(data).hexdigest()


def decode(data: bytes, *, max_pixels: int) -> Pixels:
    """The picture in ``data``, uint8 H×W×3 RGB.

    Raises:
        ImageTooLargeError: more than ``max_pixels`` by its header; nothing has been decoded.
        ImageUnreadableError: not an image, cut off, damaged, or of a kind that is not read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width}×{height} pixels, more than the {max_pixels} allowed "
                    "(DYNAMITE_MAX_IMAGE_PIXELS)"
                )
            return _turned(_pixels(data, image), image)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageUnreadableError(_what_it_is(data)) from None
    except Exception as error:  # decoders of damaged files raise whatever comes to their mind
        raise ImageUnreadableError(
            f"the image is damaged or cut off ({len(data)} bytes): {error}"
        ) from error


def _pixels(data: bytes, image: Image.Image) -> Pixels:
    """The pixels as stored, before any turning."""
    # cv2 is twice as fast, but wrong with CMYK, and silent about why it cannot read a file.
    if image.format == "JPEG" and image.mode in ("RGB", "L"):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is not None and pixels.shape[:2] == image.size[::-1]:
            return pixels.astype(np.uint8, copy=False)
    return np.array(_rgb(image))  # a copy: torch wants arrays that may be written


def _rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_stretched(np.asarray(image, np.float64))).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _stretched(values: npt.NDArray[np.float64]) -> Pixels:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = values[finite].min(), values[finite].max()
    scale = 255 / (high - low) if high > low else 0.0
    return (np.where(finite, values - low, 0) * scale).clip(0, 255).astype(np.uint8)


def _turned(pixels: Pixels, image: Image.Image) -> Pixels:
    """``pixels`` as EXIF orientation says: values 5 to 8 swap the axes, then come the flips."""
    turned_by = orientation(image) if image.format in _TURNED_BY_EXIF else 1
    if turned_by >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if turned_by in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turned_by in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _what_it_is(data: bytes) -> str:
    kinds = ", ".join(FORMATS)
    if not data:
        return "the image file is empty"
    start = data[:256].lstrip().lower()
    if b"<svg" in start:
        return f"this is an SVG drawing; give a picture of pixels ({kinds})"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "this is a web page, not an image; perhaps the address asks for a login"
    return f"these {len(data)} bytes are no image that can be read ({kinds})"
