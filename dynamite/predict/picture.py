"""The picture that stays with an image's features, to be looked at more closely."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dynamite.network.refiner_boxes import Box

Picture = NDArray[np.uint8]

ENLARGED = 2
"""Input pixels on a side become up to so many of the picture, if the image has as many."""


def keep_picture(image: Picture, input_size: Sequence[int]) -> Picture:
    """Return a copy of an (H, W, 3) image, reduced to ``ENLARGED`` times the network's input."""
    height, width = (ENLARGED * length for length in input_size)
    if image.shape[0] <= height:
        return image.copy()
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def cut_out(picture: Picture, box: Box, size: Sequence[int], side: int) -> Picture:
    """Return a part of a picture, resized to ``side`` × ``side`` pixels.

    Args:
        picture: (H, W, 3).
        box: rows and columns of an image of ``size`` (H, W), which the picture shows.
        size: of that image.
        side: pixels.
    """
    down, across = (pixels / length for pixels, length in zip(picture.shape, size, strict=False))
    top, bottom = box[0].start * down, box[0].stop * down
    left, right = box[1].start * across, box[1].stop * across
    y, x = int(top), int(left)
    part = Image.fromarray(picture[y : math.ceil(bottom), x : math.ceil(right)])
    inside = (left - x, top - y, min(right - x, part.width), min(bottom - y, part.height))
    return np.array(part.resize((side, side), Image.Resampling.BILINEAR, inside))
