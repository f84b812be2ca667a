"""Parts of a mask that nobody clicked on, away from the part that was clicked.

A small network takes what looks like the object for the object, wherever it is. A part without a
click, smaller than the largest part with one, is given to the background. That is decided in the
cells of the network's own maps: whatever the size of the photo, they are as many.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynamite.clicks import ClickSet
from dynamite.network.components import find_parts
from dynamite.network.prediction import Decision
from dynamite.network.queries import BACKGROUND
from dynamite.network.refiner_boxes import Box
from dynamite.predict.winner_map import Lead

LabelMap = NDArray[np.int16]
Mask = NDArray[np.bool_]

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
    owner_hw = lead.owner_hw.cpu().numpy().copy()
    strays = list(_stray_cells(owner_hw, clicks))
    if not strays:
        return decision, lead
    maps_Mhw, owners = decision.maps_Mhw.clone(), decision.owners_M.tolist()
    nobodys = [one for one, whose in zip(maps_Mhw, owners, strict=True) if whose == BACKGROUND]
    for owner, box, stray_hw in strays:
        owner_hw[box][stray_hw] = -1
        own = [one for one, whose in zip(maps_Mhw, owners, strict=True) if whose == owner]
        _hand_over(own, nobodys, box, stray_hw)
    left = torch.from_numpy(owner_hw).to(lead.owner_hw.device)
    return replace(decision, maps_Mhw=maps_Mhw), replace(lead, owner_hw=left)


def _hand_over(own: list[Tensor], nobodys: list[Tensor], box: Box, stray_hw: Mask) -> None:
    """Give what an object has in some cells of its maps to the background's first, in place.

    In the cells around them, too: or between two cells, where maps are interpolated, neither would
    lead but a third.
    """
    padded_hw = np.pad(stray_hw, 1).view(np.uint8)
    around_hw = cv2.dilate(padded_hw, np.ones((3, 3), np.uint8))
    # One cell wider than the box, as far as the maps reach.
    inside, window = [], []
    for cells, length, limit in zip(box, padded_hw.shape, own[0].shape, strict=True):
        low, high = max(cells.start - 1, 0), min(cells.stop + 1, limit)
        window.append(slice(low, high))
        inside.append(slice(low - cells.start + 1, length - (cells.stop + 1 - high)))
    rows, columns = window
    device = own[0].device
    stray, around = (
        torch.from_numpy(cells_hw[*inside].astype(np.bool_)).to(device)
        for cells_hw in (padded_hw, around_hw)
    )
    heir = nobodys[0][rows, columns]
    inherited = reduce(torch.maximum, (one[rows, columns] for one in (*own, *nobodys)))
    heir.copy_(torch.where(around, inherited, heir))
    for one in own:
        one[rows, columns].masked_fill_(stray, _NEVER)


def _stray_cells(labels_HW: LabelMap, clicks: ClickSet) -> Iterator[tuple[int, Box, Mask]]:
    """Each object that has stray parts, the box of all it has, and which cells of it are stray."""
    for index, (top, left, bottom, right) in _boxes(labels_HW, len(clicks.objects)):
        box = slice(top, bottom), slice(left, right)
        mask_hw = (labels_HW[box] == index).view(np.uint8)
        places = [(int(c.y) - top, int(c.x) - left) for c in clicks.objects[index]]
        parts = find_parts(mask_hw, places)
        if parts.stray_P.any():
            yield index, box, parts.stray_P[parts.labels_hw]


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
