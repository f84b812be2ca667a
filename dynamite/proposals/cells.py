"""The features of an image cell by cell, and maps of pixels at these cells."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from dynamite.network.prediction import STRIDE
from dynamite.predict.features import ImageFeatures

_CONTEXT = 1  # of the pixel decoder's levels M32, M16, M8


def cell_grid(features: ImageFeatures) -> tuple[int, int]:
    """Return rows and columns of the cells that lie in the image: those of padding are left out."""
    height, width = features.input_size
    return -(-height // STRIDE), -(-width // STRIDE)


def level_maps(features: ImageFeatures) -> tuple[Tensor, Tensor]:
    """Return what a cell is told by: the mask features (C, h, w) and their surroundings, M16.

    Without the coordinates, which say where an object lies and not what it looks like.
    """
    around = features.maps.levels[_CONTEXT][0]
    return features.maps.mask_features[0, : len(around)], around


def upsampled(map_Chw: Tensor, features: ImageFeatures) -> Tensor:
    """Return a map of a level at the cells of the image (C, rows, columns)."""
    rows, columns = cell_grid(features)
    whole = features.maps.mask_features.shape[-2:]
    larger = interpolate(map_Chw[None], whole, mode="bilinear", align_corners=False)[0]
    return larger[:, :rows, :columns]


def cell_vectors(features: ImageFeatures) -> NDArray[np.float32]:
    """Return the vector of each cell, rows × columns × 2C: its own features and those around it."""
    rows, columns = cell_grid(features)
    own, around = level_maps(features)
    both = torch.cat((own[:, :rows, :columns], upsampled(around, features)))
    return np.asarray(both.permute(1, 2, 0).cpu().numpy(), np.float32)


def at_cells(map_HW: NDArray[Any], features: ImageFeatures) -> NDArray[Any]:
    """Return the value of a map of the image in the middle of each cell."""
    rows, columns = cell_grid(features)
    down, across = cells_per_pixel(features)
    height, width = map_HW.shape
    y = np.clip(((np.arange(rows) + 0.5) / down).astype(int), 0, height - 1)
    x = np.clip(((np.arange(columns) + 0.5) / across).astype(int), 0, width - 1)
    return map_HW[np.ix_(y, x)]


def cells_per_pixel(features: ImageFeatures) -> tuple[float, float]:
    """Return how many cells a pixel of the image is high and wide."""
    (height, width), (input_height, input_width) = features.image_size, features.input_size
    return input_height / height / STRIDE, input_width / width / STRIDE
