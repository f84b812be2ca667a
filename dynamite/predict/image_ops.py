"""Prepares images for the network: checks, resizes, pads (docs/network.md, 2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dynamite.errors import InvalidInputError
from dynamite.network.config import Resize

MIN_SIDE = 2
"""Fewest pixels on a side."""


def check_image(image: Any) -> NDArray[np.uint8]:
    """Return the image.

    Raises:
        InvalidInputError: it is not an (H, W, 3) uint8 array of at least 2×2 pixels.
    """
    if not isinstance(image, np.ndarray):
        raise InvalidInputError(f"an image is a numpy array, not {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise InvalidInputError(f"an image is H×W×3, RGB; this array has shape {image.shape}")
    if image.dtype != np.uint8:
        hint = ""
        if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
            hint = " and it holds values that are not finite"
        raise InvalidInputError(f"an image is uint8, 0…255; this array is {image.dtype}{hint}")
    if min(image.shape[:2]) < MIN_SIDE:
        height, width = image.shape[:2]
        raise InvalidInputError(
            f"the image of {width}×{height} pixels is too small: it needs {MIN_SIDE}×{MIN_SIDE}"
        )
    return image


def input_size(height: int, width: int, resize: Resize | None) -> tuple[int, int]:
    """Return (H, W) of the network's input for an image, before padding; None keeps the size."""
    if resize is None:
        return height, width
    scale = resize.scale(height, width)
    return max(MIN_SIDE, int(height * scale + 0.5)), max(MIN_SIDE, int(width * scale + 0.5))


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (H, W): bilinear, antialiased, on uint8, as in the published evaluation."""
    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)  # a writable copy, as torch requires


def to_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return an (H, W, 3) image as a (3, H, W) uint8 tensor on ``device``."""
    plain = np.require(image, requirements=("C", "W", "E"))  # copies read-only arrays
    return torch.from_numpy(plain).to(device).permute(2, 0, 1)


def pad_to_multiple(images_3HW: Sequence[Tensor], divisor: int) -> Tensor:
    """Stack images (3, H, W), zero-padded at the bottom and right to a multiple of ``divisor``."""
    height, width = (
        -(-max(image.shape[axis] for image in images_3HW) // divisor) * divisor for axis in (1, 2)
    )
    batch = images_3HW[0].new_zeros(len(images_3HW), 3, height, width)
    for index, image in enumerate(images_3HW):
        batch[index, :, : image.shape[1], : image.shape[2]] = image
    return batch
