"""Describes objects of an image by a few hundred vectors of its features."""

from collections.abc import Collection
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.predict.features import ImageFeatures
from dynamite.proposals.cells import at_cells, cell_vectors, cells_per_pixel
from dynamite.proposals.description import MOST_AREAS, MOST_VECTORS, Description, Kind

NEAR = 5
"""Cells around an object that count as near it."""


def describe(
    features: ImageFeatures,
    label_map: NDArray[np.integer[Any]],
    own: Collection[int],
    rng: np.random.Generator,
    *,
    ignore: NDArray[np.bool_] | None = None,
) -> Description | None:
    """Describe some objects of an image; None if they have no cell.

    Args:
        features: of the image.
        label_map: (H, W), the object index of each pixel, −1 for the background.
        own: the indices of the objects to describe. All else is background.
        rng: draws the vectors.
        ignore: (H, W), where nothing is known.
    """
    labels = at_cells(label_map, features)
    kinds = _kinds(labels, own)
    drawable = np.ones(labels.shape, np.bool_) if ignore is None else ~at_cells(ignore, features)
    if not (drawable & (kinds != Kind.BACKGROUND)).any():
        return None
    objects = (kinds != Kind.BACKGROUND).astype(np.uint8)
    near = cv2.dilate(objects, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)) > 0
    background = kinds == Kind.BACKGROUND
    shares = (
        (kinds == Kind.CORE, 6),
        (kinds == Kind.BORDER, 4),
        (background & near, 4),
        (background & ~near, 2),
    )
    chosen = np.concatenate(
        [_draw(where & drawable, MOST_VECTORS * share // 16, rng) for where, share in shares]
    )
    vectors = cell_vectors(features)
    limit = np.finfo(np.float16).max
    down, across = cells_per_pixel(features)
    counts = np.bincount(label_map.ravel() + 1, minlength=max(own) + 2)[1:]
    areas = np.array([counts[index] for index in own if counts[index]])[:MOST_AREAS]
    return Description(
        np.clip(vectors.reshape(-1, vectors.shape[-1])[chosen], -limit, limit).astype(np.float16),
        kinds.ravel()[chosen].astype(np.uint8),
        (areas * down * across).astype(np.float32),
    )


def _kinds(labels: NDArray[Any], own: Collection[int]) -> NDArray[np.uint8]:
    kinds = np.full(labels.shape, Kind.BACKGROUND, np.uint8)
    for index in own:
        mask = labels == index
        core = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
        kinds[mask] = Kind.BORDER
        kinds[core if core.any() else mask] = Kind.CORE
    return kinds


def _draw(where: NDArray[np.bool_], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the flat positions of at most so many cells of a map."""
    found = np.flatnonzero(where)
    return found if len(found) <= most else rng.choice(found, most, replace=False)
