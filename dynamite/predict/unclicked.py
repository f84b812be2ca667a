"""Gives parts of masks that nobody clicked to whom they lie in (docs/network.md, 8).

A small network takes whatever looks like the object for the object, wherever it is, and leaves
specks out of it. Parts are looked for in the cells of the network's maps, whose number does not
depend on the size of the photo.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import ClickSet
from dynamite.network.components import find_components, label_components
from dynamite.network.queries import BACKGROUND
from dynamite.network.refiner_boxes import Box
from dynamite.predict.boxes import object_boxes
from dynamite.predict.drawing import Drawing

LabelMap = NDArray[np.int16]
Mask = NDArray[np.bool_]

SMALL = 0.01
"""A small hole has at most this share of its object's cells."""

CERTAIN = 1.5
"""Logits by which the background leads somewhere in a hole that the image speaks for."""


def drop_unclicked_components(drawing: Drawing, clicks: ClickSet) -> None:
    """Give components without a click to the background, in place.

    A component stays if it is as large as the largest one that holds a click of its object.

    Args:
        drawing: of one image.
        clicks: in cells of its maps.
    """
    for index, box in object_boxes(drawing.owner_hw, drawing.objects):
        top, left = (cells.start for cells in box)
        mask_hw = (drawing.owner_hw[box] == index).view(np.uint8)
        inside = [(int(c.y) - top, int(c.x) - left) for c in clicks.objects[index]]
        components = find_components(mask_hw, inside)
        if components.unclicked_P.any():
            cells_hw = components.unclicked_P[components.labels_hw]
            drawing.hand_over(index, BACKGROUND, box, cells_hw)


def fill_unclicked_holes(drawing: Drawing, clicks: ClickSet) -> None:
    """Give small, unsure holes without a click to the objects around them, in place.

    What nobody clicked is not a hole unless the image says so: a hole stays if it holds a click, if
    it is no speck beside its object, or if the background leads in it by a clear margin. Only cells
    of the background are filled, so no other object loses any.

    Args:
        drawing: of one image.
        clicks: in cells of its maps.
    """
    for index, box, cells_hw in _small_holes(drawing.owner_hw, clicks):
        lead_hw = drawing.largest(BACKGROUND, box) - drawing.largest(index, box)
        if lead_hw.cpu().numpy()[cells_hw].max() < CERTAIN:
            drawing.hand_over(BACKGROUND, index, box, cells_hw)


def _small_holes(labels_hw: LabelMap, clicks: ClickSet) -> Iterator[tuple[int, Box, Mask]]:
    """Yield small unclicked holes: the object around each, its box, and its cells in the box.

    A hole is a component of the background that touches one object only and no edge of the map.
    Components are 8-connected, so cells that touch the outside at a corner are no hole, and what is
    filled has no background beside it.
    """
    height, width = labels_hw.shape
    areas_N = np.bincount(labels_hw.ravel() + 1, minlength=len(clicks.objects) + 1)[1:]
    outside_hw = (labels_hw == BACKGROUND).view(np.uint8)
    components_hw, stats_P5 = label_components(outside_hw)
    clicked = {
        int(components_hw[min(int(c.y), height - 1), min(int(c.x), width - 1)])
        for c in clicks.background
    }
    small = stats_P5[:, cv2.CC_STAT_AREA] <= SMALL * areas_N.max(initial=0)
    for component in np.flatnonzero(small).tolist():
        left, top, across, down, area = stats_P5[component].tolist()
        inside = left > 0 and top > 0 and left + across < width and top + down < height
        if not inside or component in clicked or not component:
            continue
        box = slice(top, top + down), slice(left, left + across)
        around = slice(top - 1, top + down + 1), slice(left - 1, left + across + 1)
        cells_hw = components_hw[around] == component
        ring_hw = cv2.dilate(cells_hw.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
        beside = labels_hw[around][ring_hw & ~cells_hw]
        index = int(beside[0])
        if (beside == index).all() and area <= SMALL * areas_N[index]:
            yield index, box, cells_hw[1:-1, 1:-1]
