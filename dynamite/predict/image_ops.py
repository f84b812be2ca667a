"""Images on their way into the network: checked, resized, padded (MODEL_SPEC 2 and 10.1)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dynamite.errors import InvalidInputError
from dynamite.network.config import Resize

SMALLEST = 2
"""Least pixels on a side."""


def check_image(image: Any) -> NDArray[np.uint8]:
    """The image, if it is H×W×3 uint8 of at least 2×2 pixels; otherwise ``InvalidInputError``."""
    if not isinstance(image, np.ndarray):
        raise InvalidInputError(f"an image is a numpy array, not {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise InvalidInputError(f"an image is H×W×3, RGB; this array has shape {image.shape}")
    if image.dtype != np.uint8:
        hint = ""
        if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
            hint = " and it holds values that are not finite"
        raise InvalidInputError(f"an image is uint8, 0…255; this array is {image.dtype}{hint}")
    if min(image.shape[:2]) < SMALLEST:
        height, width = image.shape[:2]
        raise InvalidInputError(
            f"the image of {width}×{height} pixels is too small: it needs {SMALLEST}×{SMALLEST}"
        )
    return image


def input_size(height: int, width: int, resize: Resize | None) -> tuple[int, int]:
    """Size (H, W) of the network's input for an image, before padding."""
    if resize is None:
        return height, width
    scale = resize.scale(height, width)
    return max(SMALLEST, int(height * scale + 0.5)), max(SMALLEST, int(width * scale + 0.5))


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bilinear, antialiased, on uint8: what the published models were evaluated with."""
    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)  # a copy that torch may write to


def to_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(3, H, W) uint8 on ``device``."""
    plain = np.require(image, requirements=("C", "W", "E"))  # a copy where it is read-only
    return torch.from_numpy(plain).to(device).permute(2, 0, 1)


def pad_to_multiple(images_3HW: Sequence[Tensor], divisor: int) -> Tensor:
    """One batch, with zeros at the bottom and right up to a multiple of ``divisor``."""
    height, width = (
        -(-max(image.shape[axis] for image in images_3HW) // divisor) * divisor for axis in (1, 2)
    )
    batch = images_3HW[0].new_zeros(len(images_3HW), 3, height, width)
    for index, image in enumerate(images_3HW):
        batch[index, :, : image.shape[1], : image.shape[2]] = image
    return batch
