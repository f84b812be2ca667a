"""What the objects of one label look like in one image: some hundred vectors. Imports no torch."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

MOST_VECTORS = 256
"""Vectors of one description: 100 kB with ``lite``."""

MOST_AREAS = 256
"""Objects of one description whose areas are kept."""


class Kind(IntEnum):
    """Where in an image a vector was taken."""

    BACKGROUND = 0
    """On no object of the label."""
    CORE = 1
    """Inside an object. What is no border tells objects apart that touch."""
    BORDER = 2
    """In an object's outermost cells."""


@dataclass(frozen=True, eq=False)
class Description:
    """The objects of one label in one image.

    Attributes:
        vectors: (V, C) float16, V ≤ ``MOST_VECTORS``.
        kinds: (V) uint8, the ``Kind`` of each.
        areas: (N) float32, of the objects, in cells, N ≤ ``MOST_AREAS``.
    """

    vectors: NDArray[np.float16]
    kinds: NDArray[np.uint8]
    areas: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.vectors.nbytes + self.kinds.nbytes + self.areas.nbytes
