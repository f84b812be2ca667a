"""Parts of a mask that nobody clicked on, away from the part that was clicked.

A small network takes what looks like the object for the object, wherever it is. A part without a
click, smaller than the largest part with one, is given to the background. That is decided in the
cells of the network's own maps: whatever the size of the photo, they are as many.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynamite.clicks import ClickSet
from dynamite.lead import Lead
from dynamite.parts import find_parts
from dynamite.prediction import Decision
from dynamite.queries import BACKGROUND

LabelMap = NDArray[np.int16]

_NEVER = -1e4
"""A logit so low that between two cells, too, something else is above it."""


def without_stray_parts(decision: Decision, lead: Lead, clicks: ClickSet) -> tuple[Decision, Lead]:
    """The same with stray parts given to the background.

    Args:
        decision: of one image.
        lead: in it. What is returned says of the objects where they lead now and how surely, of
            the background only where.
        clicks: in cells of its maps.
    """
    before_hw = lead.owner_hw.cpu().numpy()
    owner_hw = drop_stray_parts(before_hw, clicks)
    dropped_hw = owner_hw != before_hw
    if not dropped_hw.any():
        return decision, lead
    maps_Mhw, owners_M = decision.maps_Mhw.clone(), decision.owners_M
    stray_hw = np.zeros(maps_Mhw.shape[1:], np.uint8)
    height, width = before_hw.shape
    for owner in np.unique(before_hw[dropped_hw]).tolist():
        stray_hw[:height, :width] = dropped_hw & (before_hw == owner)
        _hand_over(maps_Mhw, owners_M, owner, stray_hw)
    left = torch.from_numpy(owner_hw).to(lead.owner_hw.device)
    return replace(decision, maps_Mhw=maps_Mhw), replace(lead, owner_hw=left)


def _hand_over(maps_Mhw: Tensor, owners_M: Tensor, owner: int, stray_hw: NDArray[np.uint8]) -> None:
    """Give what an object has in some cells to the background, in place.

    In the cells around them, too: or between two cells, where maps are interpolated, neither would
    lead but a third.
    """
    is_own_M, is_background_M = owners_M == owner, owners_M == BACKGROUND
    row, column = (
        torch.from_numpy(place) for place in np.nonzero(cv2.dilate(stray_hw, np.ones((3, 3))))
    )
    heirs_M = is_own_M | is_background_M
    inherited_L = maps_Mhw[heirs_M][:, row, column].amax(dim=0)
    maps_Mhw[int(is_background_M.nonzero()[0]), row, column] = inherited_L
    row, column = (torch.from_numpy(place) for place in np.nonzero(stray_hw))
    for index in is_own_M.nonzero()[:, 0].tolist():
        maps_Mhw[index, row, column] = _NEVER


def drop_stray_parts(labels_HW: LabelMap, clicks: ClickSet) -> LabelMap:
    """The label map without stray parts; an object with no click inside its mask stays whole."""
    kept = labels_HW.copy()
    for index, (top, left, bottom, right) in _boxes(labels_HW, len(clicks.objects)):
        box = slice(top, bottom), slice(left, right)
        mask_hw = (labels_HW[box] == index).view(np.uint8)
        places = [(int(c.y) - top, int(c.x) - left) for c in clicks.objects[index]]
        parts = find_parts(mask_hw, places)
        kept[box][parts.stray_P[parts.labels_hw]] = -1
    return kept


def _boxes(labels_HW: LabelMap, objects: int) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Each object that has pixels and its box (top, left, bottom, right), ends excluded.

    From the runs of equal labels in the rows: one pass over the map, however many objects.
    """
    height, width = labels_HW.shape
    begins = np.empty((height, width), dtype=bool)
    begins[:, 0] = True
    np.not_equal(labels_HW[:, 1:], labels_HW[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    label = labels_HW.ravel()[start].astype(np.intp)
    row, column = np.divmod(start, width)
    length = np.diff(start, append=height * width)
    # The background, −1, counts as one more object at the end.
    top, bottom = np.full(objects + 1, -1), np.zeros(objects + 1, dtype=np.intp)
    left, right = np.full(objects + 1, width), np.zeros(objects + 1, dtype=np.intp)
    top[label[::-1]], bottom[label] = row[::-1], row + 1  # rows ascend, and the last one stays
    np.minimum.at(left, label, column)
    np.maximum.at(right, label, column + length)
    for index in np.flatnonzero(top[:objects] >= 0).tolist():
        yield index, (int(top[index]), int(left[index]), int(bottom[index]), int(right[index]))
