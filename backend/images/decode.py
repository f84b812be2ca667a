"""Decodes image files into RGB pixels, in the orientation and size that the browser shows.

The annotator's coordinates refer to the image on the screen, so this does what Chromium does:

* Orientation is Chromium's (``dynamite.orientation``). Pillow itself orients TIFF, which no browser
  shows.
* 16-bit values lose their low byte. 32-bit and float images, which no browser shows, are stretched
  between their smallest and largest finite value.
* Transparency is put on white, the background of Label Studio's canvas.
* CMYK becomes RGB without a color profile. Other profiles are ignored too: they change colors a
  little but move nothing.
* An animation is reduced to the frame that is shown first; around it lies white.
* Metadata never decides whether pixels are read (``containers``).
"""

import io
from hashlib import sha256
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from backend.errors import ImageError, ImageTooLargeError, ImageUnreadableError
from backend.images.containers import pixels_only, with_end_mark
from dynamite.orientation import orientation, upright

DECODER_VERSION = 2
"""Increase it whenever a change makes the same file decode to other pixels: kept features depend on
them."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")

Image.MAX_IMAGE_PIXELS = None  # replaced by max_pixels, which can be configured

Pixels = npt.NDArray[np.uint8]


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return sha256(data).hexdigest()


def decode(data: bytes, *, max_pixels: int) -> Pixels:
    """Decode an image file.

    Returns:
        uint8 H×W×3 RGB.

    Raises:
        ImageTooLargeError: Its header says more than ``max_pixels``; nothing has been decoded.
        ImageUnreadableError: Not an image, truncated, damaged, or in an unsupported format.
    """
    try:
        with Image.open(io.BytesIO(pixels_only(data)), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width}×{height} pixels, more than the {max_pixels} allowed "
                    "(DYNAMITE_MAX_IMAGE_PIXELS)"
                )
            return upright(_pixels(data, image), orientation(io.BytesIO(data)))
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageUnreadableError(_why_unreadable(data)) from None
    except Exception as error:  # decoders raise anything on damaged files
        raise ImageUnreadableError(
            f"the image is damaged or truncated ({len(data)} bytes): {error}"
        ) from error


def _pixels(data: bytes, image: ImageFile.ImageFile) -> Pixels:
    """Return the pixels as stored, before orientation is applied."""
    if image.format in ("JPEG", "MPO") and (ended := with_end_mark(data)) is not data:
        with Image.open(io.BytesIO(ended), formats=["JPEG"]) as whole:
            return _pixels(ended, whole)
    # cv2 is twice as fast, but wrong for CMYK, and does not say why it cannot read a file.
    if image.format == "JPEG" and image.mode in ("RGB", "L"):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if decoded is not None and decoded.shape[:2] == image.size[::-1]:
            return decoded.astype(np.uint8, copy=False)
    box = _first_frame(image)
    pixels: Pixels = np.array(_rgb(image))  # a copy, because torch wants writable arrays
    if box is not None:
        left, top, right, bottom = box
        pixels[:top] = pixels[bottom:] = pixels[:, :left] = pixels[:, right:] = 255
    return pixels


def _first_frame(image: ImageFile.ImageFile) -> tuple[int, int, int, int] | None:
    """Go to the frame that is shown first: left, top, right, bottom; None if it is all there is."""
    if isinstance(image, PngImagePlugin.PngImageFile) and image.default_image:
        image.seek(1)
        return cast("tuple[int, int, int, int]", image.info["bbox"])
    return image.tile[0][1] if isinstance(image, GifImagePlugin.GifImageFile) else None


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


def _why_unreadable(data: bytes) -> str:
    kinds = ", ".join(FORMATS)
    if not data:
        return "the image file is empty"
    start = data[:256].lstrip().lower()
    if b"<svg" in start:
        return f"the file is an SVG drawing; a raster image is needed ({kinds})"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "the file is a web page, not an image; the URL may require a login"
    return f"the file ({len(data)} bytes) is not an image in a supported format ({kinds})"
