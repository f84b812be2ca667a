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
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from backend.errors import ImageError, ImageTooLargeError, ImageUnreadableError
from backend.images.containers import pixels_only, with_end_mark
from backend.images.file_parts import check_parts
from backend.images.jpeg_scans import check_jpeg
from backend.images.pixel_budget import PixelBudget
from backend.images.rgb import to_rgb
from backend.images.tiff_layout import check_tiff
from backend.images.webp_animation import FirstFrame, first_frame
from dynamite.orientation import orientation, upright

DECODER_VERSION = 3
"""Increase it whenever a change makes the same file decode to other pixels: kept features depend on
them."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")

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
    with _opened(data, max_pixels) as (bare, image):
        width, height = image.size
        if image.format in ("JPEG", "MPO"):
            check_jpeg(data, width, height)

        def make() -> Pixels:
            return upright(_pixels(bare, image), orientation(io.BytesIO(data)))

        return budget.decode(width * height, make) if budget else make()


def image_size(data: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Return the H, W that ``decode`` would give, from the file's header alone.

    Raises:
        ImageTooLargeError, ImageUnreadableError: as ``decode``, as far as the header tells.
    """
    with _opened(data, max_pixels) as (_, image):
        width, height = image.size
        return (width, height) if orientation(io.BytesIO(data)) >= 5 else (height, width)


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[tuple[bytes, ImageFile.ImageFile]]:
    """Yield a file without what its pixels do not need, and open.

    Its header asks for no more than it may. Whatever goes wrong in the block is the file's fault.
    """
    try:
        check_parts(data)
        check_tiff(data)
        bare = pixels_only(data)
        with Image.open(io.BytesIO(bare), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width}×{height} pixels, more than the {max_pixels} allowed "
                    "(DYNAMITE_MAX_IMAGE_PIXELS)"
                )
            yield bare, image
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
    if frame := first_frame(data):
        return _on_canvas(frame, image.size)
    # cv2 is twice as fast, and takes half the memory for WebP. But it is wrong for CMYK, ignores
    # transparency and animations, and does not say why it cannot read a file.
    if image.format in ("JPEG", "WEBP") and image.mode in ("RGB", "L") and not _is_animated(image):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if decoded is not None and decoded.shape[:2] == image.size[::-1]:
            return decoded.astype(np.uint8, copy=False)
    box = _first_frame(image)
    pixels = to_rgb(image)
    if box is not None:
        left, top, right, bottom = box
        pixels[:top] = pixels[bottom:] = pixels[:, :left] = pixels[:, right:] = 255
    return pixels


def _on_canvas(frame: FirstFrame, size: tuple[int, int]) -> Pixels:
    """Return the pixels of a frame, and white around it; ``size`` is W, H of the canvas."""
    width, height = size
    inside = np.s_[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
    if frame.left + frame.width > width or frame.top + frame.height > height:
        raise ImageUnreadableError("the first frame of the animation lies outside its image")
    with Image.open(io.BytesIO(frame.file), formats=["WEBP"]) as still:
        if still.size != (frame.width, frame.height):
            raise ImageUnreadableError("the first frame of the animation has another size")
        pixels = _pixels(frame.file, still)
    if still.size == size:
        return pixels
    canvas: Pixels = np.full((height, width, 3), 255, np.uint8)
    canvas[inside] = pixels
    return canvas


def _is_animated(image: ImageFile.ImageFile) -> bool:
    return bool(getattr(image, "is_animated", False))


def _first_frame(image: ImageFile.ImageFile) -> tuple[int, int, int, int] | None:
    """Go to the frame that is shown first: left, top, right, bottom; None if it is all there is."""
    if isinstance(image, PngImagePlugin.PngImageFile) and image.default_image:
        image.seek(1)
        return cast("tuple[int, int, int, int]", image.info["bbox"])
    return image.tile[0][1] if isinstance(image, GifImagePlugin.GifImageFile) else None


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
