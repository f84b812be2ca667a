"""Connected components of a mask, and which of them hold no click."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Components:
    """The P components of one mask. Component 0 is everything outside the mask.

    Attributes:
        labels_hw: the component of each pixel.
        boxes_P4: x, y, width and height of each component, in pixels.
        unclicked_P: whether a component holds no click and is smaller than the largest clicked one.
            Without any clicked component none counts as unclicked.
    """

    labels_hw: NDArray[np.int32]
    boxes_P4: NDArray[np.int32]
    unclicked_P: NDArray[np.bool_]


def label_components(mask_hw: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the 8-connected component of each pixel, and OpenCV's five statistics of each."""
    # The default algorithm takes three times as long as soon as statistics are wanted.
    _, labels_hw, stats_P5, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask_hw, 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    return labels_hw, stats_P5  # type: ignore[return-value]


def find_components(mask_hw: NDArray[np.uint8], clicks: Iterable[tuple[int, int]]) -> Components:
    """Return the 8-connected components of a mask.

    Args:
        mask_hw: nonzero inside the mask.
        clicks: (y, x) in whole pixels; those outside the image or the mask are ignored.
    """
    labels_hw, stats_P5 = label_components(mask_hw)
    height, width = mask_hw.shape
    inside = [(y, x) for y, x in clicks if 0 <= y < height and 0 <= x < width]
    clicked = {int(labels_hw[pixel]) for pixel in inside} - {0}
    areas_P = stats_P5[:, cv2.CC_STAT_AREA]
    unclicked_P = areas_P < max((int(areas_P[index]) for index in clicked), default=0)
    unclicked_P[[0, *clicked]] = False
    boxes_P4 = stats_P5[:, : cv2.CC_STAT_AREA]
    return Components(labels_hw, boxes_P4, unclicked_P)
