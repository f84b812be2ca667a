"""Chooses and cuts crops: the image, its label map and its ignore mask."""

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from training.data.sample import NONE, Sample

PADDING = 128
"""Grey value of the padding, before normalization (MODEL_SPEC 9.1)."""

_IGNORED = -2
"""Marks ignored pixels in the label map, so that both are resized at once."""


class CropWindow(NamedTuple):
    """A rectangle of the source image and the size it is resized to, all in pixels."""

    x: int
    y: int
    width: int
    height: int
    out_width: int
    out_height: int


def random_window(sample: Sample, size: int, scale: float, rng: np.random.Generator) -> CropWindow:
    """Choose a window at random; at ``scale`` 1 the whole image just fits a size×size crop."""
    shape = sample.label_map.shape
    factor = scale * size / max(shape)
    height, out_height = _side(shape[0], size, factor)
    width, out_width = _side(shape[1], size, factor)
    x = int(rng.integers(0, shape[1] - width + 1))
    y = int(rng.integers(0, shape[0] - height + 1))
    return CropWindow(x, y, width, height, out_width, out_height)


def object_window(
    sample: Sample,
    index: int,
    size: int,
    rng: np.random.Generator,
    *,
    side: float,
    limits: tuple[float, float],
) -> CropWindow:
    """Choose a window at random that holds object ``index``.

    Args:
        sample: the source.
        index: the object.
        size: side of the crop in pixels.
        rng: draws the place.
        side: length of the object's longer side in the crop, in pixels.
        limits: smallest and largest magnification, in crop pixels per source pixel.
    """
    x, y, width, height = cv2.boundingRect((sample.label_map == index).view(np.uint8))
    factor = float(np.clip(side / max(width, height), *limits))
    shape = sample.label_map.shape
    window_height, out_height = _side(shape[0], size, factor)
    window_width, out_width = _side(shape[1], size, factor)
    left = _offset(x, x + width, window_width, shape[1], rng)
    top = _offset(y, y + height, window_height, shape[0], rng)
    return CropWindow(left, top, window_width, window_height, out_width, out_height)


def _side(length: int, size: int, factor: float) -> tuple[int, int]:
    """Return the source length and the output length of one side of a window."""
    source = min(length, max(1, round(size / factor)))
    return source, int(np.clip(round(source * factor), 1, size))


def _offset(start: int, stop: int, window: int, length: int, rng: np.random.Generator) -> int:
    """Choose where a window starts so that it holds [start, stop), or lies inside if shorter."""
    low, high = sorted((stop - window, start))
    low, high = (min(max(edge, 0), length - window) for edge in (low, high))
    return int(rng.integers(low, high + 1))


def crop(sample: Sample, window: CropWindow, size: int, *, flip: bool) -> Sample:
    """Cut the window into the top left of a size×size sample; the rest is grey and ignored."""
    rows = slice(window.y, window.y + window.height)
    columns = slice(window.x, window.x + window.width)
    target = (window.out_width, window.out_height)
    shrinks = window.out_width < window.width
    pixels = cv2.resize(
        sample.image[rows, columns],
        target,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    joint = sample.label_map[rows, columns].copy()
    joint[sample.ignore[rows, columns]] = _IGNORED
    resized = cv2.resize(joint, target, interpolation=cv2.INTER_NEAREST_EXACT)
    if flip:
        pixels, resized = pixels[:, ::-1], resized[:, ::-1]
    image = np.full((size, size, 3), PADDING, np.uint8)
    image[: window.out_height, : window.out_width] = pixels
    labels = np.full((size, size), _IGNORED, np.int32)
    labels[: window.out_height, : window.out_width] = resized
    ignore = labels == _IGNORED
    labels[ignore] = NONE
    return replace(sample, image=image, label_map=labels, ignore=ignore)


def log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """Draw a number between two positive bounds, uniform in its logarithm."""
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
