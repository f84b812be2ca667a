"""The parts of a mask that hang together, and which of them nobody clicked on."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Parts:
    """Of one mask; part 0 is what lies outside it.

    ``labels_hw`` the part of each pixel; ``boxes_P4`` x, y, width and height of each; ``stray_P``
    whether it is stray: without a click, and smaller than the largest part with one.
    """

    labels_hw: NDArray[np.int32]
    boxes_P4: NDArray[np.int32]
    stray_P: NDArray[np.bool_]


def find_parts(mask_hw: NDArray[np.uint8], places: Iterable[tuple[int, int]]) -> Parts:
    """The parts of a mask with clicks at these places (y, x); places outside it count for none."""
    _, labels_hw, boxes_P5, _ = cv2.connectedComponentsWithStats(mask_hw)
    height, width = mask_hw.shape
    inside = [(y, x) for y, x in places if 0 <= y < height and 0 <= x < width]
    clicked = {int(labels_hw[place]) for place in inside} - {0}
    areas_P = boxes_P5[:, cv2.CC_STAT_AREA]
    stray_P = areas_P < max((int(areas_P[part]) for part in clicked), default=0)
    stray_P[[0, *clicked]] = False
    return Parts(labels_hw, boxes_P5[:, : cv2.CC_STAT_AREA], stray_P)  # type: ignore[arg-type]
