"""Makes RGB of what Pillow has read: a band of rows at a time, since whole copies take gigabytes.

16-bit values lose their low byte. 32-bit and float values are stretched between their smallest and
largest finite value. Transparency is put on white.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

_BAND_PIXELS = 2**20


def to_rgb(image: Image.Image) -> Pixels:
    """Return uint8 H×W×3 RGB, a new array."""
    image.load()
    width, height = image.size
    rows = max(1, _BAND_PIXELS // width)
    bands = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    convert = _converter(image, [(0, top, width, bottom) for top, bottom in bands])
    pixels = np.empty((height, width, 3), np.uint8)
    for top, bottom in bands:
        pixels[top:bottom] = convert(image.crop((0, top, width, bottom)))
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
