"""Colour jitter: brightness, contrast, saturation and hue as one affine map of RGB."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.data.config_types import NonNegative, Probability

_LUMA = np.array([0.299, 0.587, 0.114])
_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_RGB = np.linalg.inv(_YIQ)
_MIDDLE = 127.5


@dataclass(frozen=True)
class ColorConfig:
    """Half-widths of the uniform jitter; 0 leaves a property unchanged."""

    brightness: NonNegative = 0.0  # added, as a share of 255
    contrast: NonNegative = 0.0  # factor 1 ± this, around mid-grey
    saturation: NonNegative = 0.0  # factor 1 ± this
    hue: NonNegative = 0.0  # share of a full turn
    gray_probability: Probability = 0.0  # of removing all colour


def jitter(
    image: npt.NDArray[np.uint8], config: ColorConfig, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return a uint8 H×W×3 RGB image with jittered colours; the given image is not changed."""
    brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4) * (
        config.brightness,
        config.contrast,
        config.saturation,
        config.hue,
    )
    chroma = 0.0 if rng.random() < config.gray_probability else 1 + saturation
    if not (brightness or contrast or hue or chroma != 1):
        return image
    turn = 2 * math.pi * hue
    cos, sin = chroma * math.cos(turn), chroma * math.sin(turn)
    linear = (1 + contrast) * _RGB @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _YIQ
    offset = 255 * brightness - contrast * _MIDDLE
    affine = np.hstack([linear, np.full((3, 1), offset)])
    return cv2.transform(image, affine).astype(np.uint8, copy=False)
