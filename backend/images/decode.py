"""Decodes image files into RGB pixels, in the orientation and size that the browser shows.

The annotator's coordinates refer to the image on the screen, so this does what Chromium does:

* Orientation comes from EXIF in JPEG, PNG and AVIF. Chromium ignores the EXIF of WebP, and all XMP.
* 16-bit values lose their low byte. 32-bit and float images, which no browser shows, are stretched
  between their smallest and largest finite value.
* Transparency is put on white, the background of Label Studio's canvas.
* CMYK becomes RGB without a color profile. Other profiles are ignored too: they change colors a
  little but move nothing.
* An animation is reduced to its first frame.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from backend.errors import ImageError, ImageTooLargeError, ImageUnreadableError
from backend.images.file_parts import check_parts
from backend.images.jpeg_scans import check_jpeg
from backend.images.pixel_budget import PixelBudget
from backend.images.tiff_layout import check_tiff
from dynamite.orientation import orientation

DECODER_VERSION = 1
"""Increase it whenever a change makes the same file decode to other pixels: kept features depend on
them."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
_BAND_PIXELS = 2**20
_ORIENTED_BY_EXIF = ("JPEG", "MPO", "PNG", "AVIF")  # Pillow itself orients TIFF

Image.MAX_IMAGE_PIXELS = None  # replaced by max_pixels, which can be configured

Pixels = npt.NDArray[np.uint8]


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return sha256(data).hexdigest()


def decode(data: bytes, *, max_pixels: int, budget: PixelBudget | None = None) -> Pixels:
    """Decode an image file.

    Args:
        data: the file's bytes.
        max_pixels: most pixels that are decoded.
        budget: where the pixels take room.

    Returns:
        uint8 H×W×3 RGB.

    Raises:
        ImageTooLargeError: Its header says more than ``max_pixels``; nothing has been decoded.
        ImageUnreadableError: Not an image, truncated, damaged, in an unsupported format, or made
            to cost far more than its pixels.
        ImageBusyError: The budget has no room.
    """
    try:
        check_parts(data)
        check_tiff(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width}×{height} pixels, more than the {max_pixels} allowed "
                    "(DYNAMITE_MAX_IMAGE_PIXELS)"
                )
            if image.format in ("JPEG", "MPO"):
                check_jpeg(data, width, height)

            def make() -> Pixels:
                return _oriented(_pixels(data, image), image)

            return budget.decode(width * height, make) if budget else make()
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageUnreadableError(_why_unreadable(data)) from None
    except Exception as error:  # decoders raise anything on damaged files
        raise ImageUnreadableError(
            f"the image is damaged or truncated ({len(data)} bytes): {error}"
        ) from error


def _pixels(data: bytes, image: Image.Image) -> Pixels:
    """Return the pixels as stored, before orientation is applied."""
    # cv2 is twice as fast, but wrong for CMYK, and does not say why it cannot read a file.
    if image.format == "JPEG" and image.mode in ("RGB", "L"):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is not None and pixels.shape[:2] == image.size[::-1]:
            return pixels.astype(np.uint8, copy=False)
    return _in_bands(image)


def _in_bands(image: Image.Image) -> Pixels:
    """Return RGB pixels, converted a band of rows at a time: whole copies would take gigabytes."""
    image.load()
    width, height = image.size
    rows = max(1, _BAND_PIXELS // width)
    bands = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    to_rgb = _converter(image, [(0, top, width, bottom) for top, bottom in bands])
    pixels = np.empty((height, width, 3), np.uint8)
    for top, bottom in bands:
        pixels[top:bottom] = to_rgb(image.crop((0, top, width, bottom)))
    return pixels


def _converter(
    image: Image.Image, boxes: Sequence[tuple[int, int, int, int]]
) -> Callable[[Image.Image], Pixels]:
    """Return what makes RGB of a part of the image; ``boxes`` are its parts."""
    if image.mode.startswith("I;16"):
        return lambda band: _grey((np.asarray(band) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        low, high = _extremes(np.asarray(image.crop(box), np.float64) for box in boxes)
        return lambda band: _grey(_stretched(np.asarray(band, np.float64), low, high))
    if image.has_transparency_data:
        return _on_white
    return lambda band: np.asarray(band.convert("RGB"))


def _grey(values: Pixels) -> Pixels:
    return np.repeat(values[..., None], 3, axis=2)


def _on_white(band: Image.Image) -> Pixels:
    white = Image.new("RGBA", band.size, "white")
    return np.asarray(Image.alpha_composite(white, band.convert("RGBA")).convert("RGB"))


def _extremes(parts: Iterable[npt.NDArray[np.float64]]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; infinities if there is none."""
    low, high = np.inf, -np.inf
    for values in parts:
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, finite.min()), max(high, finite.max())
    return float(low), float(high)


def _stretched(values: npt.NDArray[np.float64], low: float, high: float) -> Pixels:
    """Return values as bytes, ``low`` as 0 and ``high`` as 255; 0 where they are not finite."""
    scale = 255 / (high - low) if high > low else 0.0
    finite = np.isfinite(values)
    return (np.where(finite, values - low, 0) * scale).clip(0, 255).astype(np.uint8)


def _oriented(pixels: Pixels, image: Image.Image) -> Pixels:
    """Apply the EXIF orientation: values 5 to 8 swap the axes, then come the flips."""
    value = orientation(image) if image.format in _ORIENTED_BY_EXIF else 1
    if value >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if value in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if value in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


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
