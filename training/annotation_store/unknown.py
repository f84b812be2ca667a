"""Which pixels are neither object nor background, where not every object is labelled."""

from typing import Any

import cv2
import numpy as np

from training.annotation_store.values import AcceptedImage
from training.data.box_mask import decode_box
from training.data.masks import encode

BAND = 0.25
"""Width of the band around an object in which unlabelled pixels are background, in radii of a disc
with the object's area: annotators see what they leave out next to an object."""


def unknown(image: AcceptedImage) -> dict[str, Any] | None:
    """Return the unlabelled pixels far from every object as RLE; None if there are none."""
    near = np.zeros((image.height, image.width), np.bool_)
    for region in image.regions:
        own = decode_box(image.segmentation(region), near.shape)
        reach = max(8, round(BAND * float(np.sqrt(region.area / np.pi))))
        # Only this window can be in reach: photos have many more pixels than objects.
        rows, columns = own.window
        window = (
            slice(max(0, rows.start - reach), rows.stop + reach),
            slice(max(0, columns.start - reach), columns.stop + reach),
        )
        near_hw = near[window]
        apart_hw = np.ones(near_hw.shape, np.uint8)
        row, column = rows.start - window[0].start, columns.start - window[1].start
        height, width = own.pixels.shape
        apart_hw[row : row + height, column : column + width] -= own.pixels
        near_hw |= cv2.distanceTransform(apart_hw, cv2.DIST_L2, cv2.DIST_MASK_5) <= reach
    return None if near.all() else encode(~near)
