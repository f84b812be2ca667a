"""Where each object is looked at again, and which of them in one go."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from dynamite.network.components import find_parts

Box = tuple[slice, slice]
"""Rows and columns of a map's cells."""

CALL = 1500
"""Cells that a pass of the refiner's convolutions costs whatever it looks at. Measured on a CPU
with AVX-512: a box of 24 cells a side takes 0.45 ms alone, 0.12 as one of eight; of 96, 1.6 and
1.4 ms.
"""

MOST = 16_000
"""Cells of a pass of several: above, they take longer together, and memory by their number."""


def boxes_around(
    masks_Nhw: Tensor, places_K2: Tensor, owners_K: Tensor, margin: int
) -> Iterator[Box]:
    """The rows and columns around each object's mask and clicks, ``margin`` cells wider.

    Stray parts of the mask count for nothing: they would make the boxes half as large again, and
    what nobody clicked on is not worth a second look, whether it is dropped later or not.
    """
    masks = masks_Nhw.cpu().numpy().view(np.uint8)
    cells, owners = places_K2.floor().long().cpu().numpy(), owners_K.cpu().numpy()
    for index, mask_hw in enumerate(masks):
        own = cells[owners == index]
        parts = find_parts(mask_hw, map(tuple, own))
        found = parts.boxes_P4[1:][~parts.stray_P[1:]]
        box = []
        for axis, length in enumerate(mask_hw.shape):
            starts, lengths = found[:, 1 - axis], found[:, 3 - axis]
            low = int(np.concatenate((own[:, axis], starts)).min())
            high = int(np.concatenate((own[:, axis] + 1, starts + lengths)).max())
            box.append(slice(max(low - margin, 0), min(high + margin, length)))
        yield box[0], box[1]


def box_size(box: Box) -> tuple[int, int]:
    """Its rows and columns."""
    rows, columns = box
    return rows.stop - rows.start, columns.stop - columns.start


def in_batches(boxes: Sequence[Box]) -> list[list[int]]:
    """Indices of the boxes, those together that are cheaper in one pass, padded to one size.

    From the smallest to the largest; the next one joins if what it wastes is less than a pass.
    """
    batches: list[list[int]] = []
    height = width = 0
    for index in sorted(range(len(boxes)), key=lambda index: np.prod(box_size(boxes[index]))):
        own_height, own_width = box_size(boxes[index])
        higher, wider = max(height, own_height), max(width, own_width)
        count = len(batches[-1]) if batches else 0
        apart = count * height * width + own_height * own_width + CALL
        if batches and (count + 1) * higher * wider <= min(apart, MOST):
            batches[-1].append(index)
            height, width = higher, wider
        else:
            batches.append([index])
            height, width = own_height, own_width
    return batches
