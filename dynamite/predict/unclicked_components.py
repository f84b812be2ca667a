"""Removes mask components that hold no click, away from the clicked one (docs/network.md, 8).

A small network takes whatever looks like the object for the object, wherever it is. A component
without a click that is smaller than the largest clicked one goes to the background. This is decided
in the cells of the network's maps, whose number does not depend on the size of the photo.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from dynamite.clicks import ClickSet
from dynamite.network.components import find_components
from dynamite.network.prediction import Decision
from dynamite.network.queries import BACKGROUND
from dynamite.network.refiner_boxes import Box
from dynamite.predict.boxes import object_boxes
from dynamite.predict.hand_over import hand_over
from dynamite.predict.winner_map import WinnerMap

LabelMap = NDArray[np.int16]
Mask = NDArray[np.bool_]


def drop_unclicked_components(
    decision: Decision, winners: WinnerMap, clicks: ClickSet
) -> tuple[Decision, WinnerMap]:
    """Return both with unclicked components given to the background.

    Args:
        decision: of one image.
        winners: made from it.
        clicks: in cells of its maps.

    Returns:
        The maps and the winners. The logits in the winners are still those from before: right for
        the objects' scores, not for cells that went to the background.
    """
    owner_hw = winners.owner_hw.cpu().numpy().copy()
    unclicked = list(_unclicked_cells(owner_hw, clicks))
    if not unclicked:
        return decision, winners
    maps_Mhw, owners = decision.maps_Mhw.clone(), decision.owners_M.tolist()
    background = [one for one, owner in zip(maps_Mhw, owners, strict=True) if owner == BACKGROUND]
    for index, box, cells_hw in unclicked:
        owner_hw[box][cells_hw] = BACKGROUND
        own = [one for one, owner in zip(maps_Mhw, owners, strict=True) if owner == index]
        hand_over(own, background, box, cells_hw)
    left = torch.from_numpy(owner_hw).to(winners.owner_hw.device)
    return replace(decision, maps_Mhw=maps_Mhw), replace(winners, owner_hw=left)


def _unclicked_cells(labels_hw: LabelMap, clicks: ClickSet) -> Iterator[tuple[int, Box, Mask]]:
    """Yield each object with unclicked components, the box of its mask, and their cells in it."""
    for index, box in object_boxes(labels_hw, len(clicks.objects)):
        top, left = (cells.start for cells in box)
        mask_hw = (labels_hw[box] == index).view(np.uint8)
        inside = [(int(c.y) - top, int(c.x) - left) for c in clicks.objects[index]]
        components = find_components(mask_hw, inside)
        if components.unclicked_P.any():
            yield index, box, components.unclicked_P[components.labels_hw]
