"""The boxes the refiner redraws, and how they are grouped into passes."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from torch import Tensor

from dynamite.network.components import find_components

Box = tuple[slice, slice]
"""Rows and columns of a map's cells."""

PASS_OVERHEAD = 1500
"""Fixed cost of one pass of the refiner's convolutions, in cells. Measured on a CPU with AVX-512: a
box of 24 cells a side takes 0.45 ms alone and 0.12 ms as one of eight; of 96 cells, 1.6 and 1.4 ms.
"""

MAX_PASS_CELLS = 16_000
"""Largest pass over several boxes, in cells. Above it, a joint pass is slower than separate ones,
and memory grows with the number of cells."""


def object_boxes(
    masks_Nhw: Tensor, coords_K2: Tensor, owners_K: Tensor, margin: int
) -> Iterator[Box]:
    """Yield the box around each object's mask and clicks, ``margin`` cells wider on each side.

    Unclicked components of the mask are left out, whether they are dropped later or not. They would
    make the boxes half as large again, for pixels that no click asked for.

    Args:
        masks_Nhw: boolean masks of the objects.
        coords_K2: (y, x) of the clicks in cells; every object has at least one.
        owners_K: object index of each click, −1 for the background.
        margin: cells.
    """
    masks = masks_Nhw.cpu().numpy().view(np.uint8)
    cells, owners = coords_K2.floor().long().cpu().numpy(), owners_K.cpu().numpy()
    for index, mask_hw in enumerate(masks):
        own = cells[owners == index]
        left, top, width, height = cv2.boundingRect(mask_hw)
        inside_hw = mask_hw[top : top + height, left : left + width]
        components = find_components(inside_hw, map(tuple, own - (top, left)))
        found = components.boxes_P4[1:][~components.unclicked_P[1:]] + (left, top, 0, 0)
        box = []
        for axis, length in enumerate(masks.shape[1:]):
            starts, lengths = found[:, 1 - axis], found[:, 3 - axis]
            low = int(np.concatenate((own[:, axis], starts)).min())
            high = int(np.concatenate((own[:, axis] + 1, starts + lengths)).max())
            box.append(slice(max(low - margin, 0), min(high + margin, length)))
        yield box[0], box[1]


def box_size(box: Box) -> tuple[int, int]:
    """Return the number of rows and columns."""
    rows, columns = box
    return rows.stop - rows.start, columns.stop - columns.start


def group_boxes(boxes: Sequence[Box]) -> list[list[int]]:
    """Return groups of box indices. The boxes of a group are padded to one size, for one pass.

    Boxes are taken from the smallest to the largest. The next one joins the current group if the
    padding that this adds costs less than a pass of its own.
    """
    groups: list[list[int]] = []
    height = width = 0
    for index in sorted(range(len(boxes)), key=lambda index: np.prod(box_size(boxes[index]))):
        own_height, own_width = box_size(boxes[index])
        joint_height, joint_width = max(height, own_height), max(width, own_width)
        count = len(groups[-1]) if groups else 0
        apart = count * height * width + own_height * own_width + PASS_OVERHEAD
        if groups and (count + 1) * joint_height * joint_width <= min(apart, MAX_PASS_CELLS):
            groups[-1].append(index)
            height, width = joint_height, joint_width
        else:
            groups.append([index])
            height, width = own_height, own_width
    return groups
