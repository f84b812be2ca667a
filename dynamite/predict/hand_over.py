"""Gives cells of the deciding maps to another owner, so that a label map of any size shows it."""

from collections.abc import Sequence
from functools import reduce

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynamite.network.refiner_boxes import Box

Mask = NDArray[np.bool_]

_NEVER = -1e4
"""A logit so low that it loses even where maps are interpolated between two cells."""


def hand_over(own: Sequence[Tensor], heirs: Sequence[Tensor], box: Box, cells_hw: Mask) -> None:
    """Give an owner's logits in some cells to the first map of its heir, in place.

    The heir also gets them in the neighboring cells. Otherwise a third map could win where the maps
    are interpolated between two cells.

    Args:
        own: the maps (h, w) of the owner.
        heirs: the maps (h, w) of the heir.
        box: of the maps, around the cells.
        cells_hw: which cells of the box.
    """
    padded_hw = np.pad(cells_hw, 1).view(np.uint8)
    around_hw = cv2.dilate(padded_hw, np.ones((3, 3), np.uint8))
    # A window one cell wider than the box, as far as the maps reach.
    inside, window = [], []
    for cells, length, limit in zip(box, padded_hw.shape, own[0].shape, strict=True):
        low, high = max(cells.start - 1, 0), min(cells.stop + 1, limit)
        window.append(slice(low, high))
        inside.append(slice(low - cells.start + 1, length - (cells.stop + 1 - high)))
    rows, columns = window
    device = own[0].device
    given, around = (
        torch.from_numpy(part_hw[*inside].astype(np.bool_)).to(device)
        for part_hw in (padded_hw, around_hw)
    )
    heir = heirs[0][rows, columns]
    inherited = reduce(torch.maximum, (one[rows, columns] for one in (*own, *heirs)))
    heir.copy_(torch.where(around, inherited, heir))
    for one in own:
        one[rows, columns].masked_fill_(given, _NEVER)
