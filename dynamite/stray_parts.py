"""Parts of a mask that nobody clicked on, away from the part that was clicked.

A small network takes what looks like the object for the object, wherever it is. A part without a
click, smaller than the largest part with one, is given to the background.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet

LabelMap = NDArray[np.int16]


def drop_stray_parts(labels_HW: LabelMap, clicks: ClickSet) -> LabelMap:
    """The label map without stray parts; an object with no click inside its mask stays whole."""
    kept = labels_HW.copy()
    for index, own in enumerate(clicks.objects):
        mask_HW = (labels_HW == index).view(np.uint8)
        left, top, width, height = cv2.boundingRect(mask_HW)
        window = slice(top, top + height), slice(left, left + width)
        if width:
            kept[window][_stray(mask_HW[window], own, top=top, left=left)] = -1
    return kept


def _stray(
    mask_hw: NDArray[np.uint8], clicks: tuple[Click, ...], *, top: int, left: int
) -> NDArray[np.bool_]:
    """Which pixels of the mask, cut out at (top, left), are stray."""
    _, parts_hw, stats, _ = cv2.connectedComponentsWithStats(mask_hw)
    height, width = mask_hw.shape
    places = [(int(click.y) - top, int(click.x) - left) for click in clicks]
    clicked = {int(parts_hw[y, x]) for y, x in places if 0 <= y < height and 0 <= x < width} - {0}
    areas = stats[:, cv2.CC_STAT_AREA]
    limit = max((int(areas[part]) for part in clicked), default=0)
    is_stray = areas < limit
    is_stray[[0, *clicked]] = False
    stray: NDArray[np.bool_] = is_stray[parts_hw]
    return stray
