"""Fills small holes of masks in which the network is unsure (docs/network.md, 8).

What nobody clicked is not a hole unless the image says so: a hole stays if it holds a click, if it
is no speck beside its object, or if the background leads in it by a clear margin. Only cells of the
background are filled, so no other object loses any. Like stray components, holes are looked for in
the cells of the network's maps.
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
from dynamite.network.prediction import Decision
from dynamite.network.queries import BACKGROUND
from dynamite.network.refiner_boxes import Box
from dynamite.predict.hand_over import hand_over
from dynamite.predict.winner_map import WinnerMap

LabelMap = NDArray[np.int16]
Mask = NDArray[np.bool_]

SMALL = 0.01
"""A small hole has at most this share of its object's cells."""

CERTAIN = 1.5
"""Logits by which the background leads somewhere in a hole that the image speaks for."""


def fill_unclicked_holes(
    decision: Decision, winners: WinnerMap, clicks: ClickSet
) -> tuple[Decision, WinnerMap]:
    """Return both with small, unsure, unclicked holes given to the objects around them.

    Args:
        decision: of one image.
        winners: made from it.
        clicks: in cells of its maps.

    Returns:
        The maps and the winners. The logits in the winners are still those from before: right for
        the objects' scores, which stay as unsure as the network was.
    """
    owner_hw = winners.owner_hw.cpu().numpy().copy()
    holes = list(_small_holes(owner_hw, clicks))
    maps_by_owner = _by_owner(decision.maps_Mhw, decision)
    unsure = [hole for hole in holes if _lead(maps_by_owner, *hole) < CERTAIN]
    if not unsure:
        return decision, winners
    maps_Mhw = decision.maps_Mhw.clone()
    maps_by_owner = _by_owner(maps_Mhw, decision)
    for index, box, cells_hw in unsure:
        owner_hw[box][cells_hw] = index
        hand_over(maps_by_owner[BACKGROUND], maps_by_owner[index], box, cells_hw)
    filled = torch.from_numpy(owner_hw).to(winners.owner_hw.device)
    return replace(decision, maps_Mhw=maps_Mhw), replace(winners, owner_hw=filled)


def _by_owner(maps_Mhw: Tensor, decision: Decision) -> dict[int, list[Tensor]]:
    """Return the maps of each owner, as views."""
    found: dict[int, list[Tensor]] = {}
    for owner, map_hw in zip(decision.owners_M.tolist(), maps_Mhw, strict=True):
        found.setdefault(owner, []).append(map_hw)
    return found


def _lead(maps: dict[int, list[Tensor]], index: int, box: Box, cells_hw: Mask) -> float:
    """Return by how many logits the background leads at most in the cells of a hole."""
    background_hw, own_hw = (
        reduce(torch.maximum, (one[box] for one in maps[owner])) for owner in (BACKGROUND, index)
    )
    lead_hw = (background_hw - own_hw).cpu().numpy()
    return float(lead_hw[cells_hw].max())


def _small_holes(labels_hw: LabelMap, clicks: ClickSet) -> Iterator[tuple[int, Box, Mask]]:
    """Yield small unclicked holes: the object around each, its box, and its cells in the box.

    A hole is a component of the background that touches one object only and no edge of the map.
    Components are 8-connected, so cells that touch the outside at a corner are no hole, and what is
    filled has no background beside it.
    """
    height, width = labels_hw.shape
    areas_N = np.bincount(labels_hw.ravel() + 1, minlength=len(clicks.objects) + 1)[1:]
    outside_hw = (labels_hw == BACKGROUND).view(np.uint8)
    _, components_hw, stats_P5, _ = cv2.connectedComponentsWithStats(outside_hw, connectivity=8)
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
