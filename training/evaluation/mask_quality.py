"""What the eye sees of a mask beside its IoU: how its border runs, its parts and its holes.

IoU hardly sees the border of a large object, nor a handful of specks and holes in it. Boundary IoU
(Cheng et al., CVPR 2021) compares only the pixels near the two borders.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.click_simulation import LabelMap
from training.distance_map import Mask
from training.evaluation.mist import mean_iou

BAND = 0.02
"""Width of the compared band inside a border, as a share of the image's diagonal (the paper's)."""


@dataclass(frozen=True)
class MaskQuality:
    """How the masks of N objects look.

    Attributes:
        boundary_iou: (N) 0…1, NaN for an object that is neither present nor predicted.
        parts: (N) 8-connected components of each predicted mask; 0 where it is empty.
        holes: (N) 4-connected components of what each predicted mask encloses. What another object
            fills counts as a hole, too.
    """

    boundary_iou: NDArray[np.float64]
    parts: NDArray[np.intp]
    holes: NDArray[np.intp]


@dataclass(frozen=True)
class Look:
    """How the masks of a data set look.

    Attributes:
        boundary_iou: mean over images of the mean over objects; NaN if there is none.
        parts: parts per mask, empty ones not counted.
        holes: holes per mask, empty ones not counted.
    """

    boundary_iou: float
    parts: float
    holes: float


def look(qualities: Sequence[MaskQuality]) -> Look:
    """Return the means over the masks of some images."""
    parts, holes = (
        np.concatenate([getattr(one, name) for one in qualities]) for name in ("parts", "holes")
    )
    masks = max(1, np.count_nonzero(parts))
    images = [mean_iou(one.boundary_iou) for one in qualities]
    return Look(
        boundary_iou=mean_iou(np.array(images)),
        parts=float(parts.sum() / masks),
        holes=float(holes.sum() / masks),
    )


def mask_quality(
    predicted_HW: LabelMap, target_HW: LabelMap, num_objects: int, valid: Mask
) -> MaskQuality:
    """Return how the predicted masks look, and how well their borders fit.

    Args:
        predicted_HW: predicted label map.
        target_HW: label map of the objects.
        num_objects: N.
        valid: pixels that count for the Boundary IoU; elsewhere any answer is right.
    """
    band = band_width(*target_HW.shape)
    ious, parts, holes = np.full(num_objects, np.nan), [], []
    for index in range(num_objects):
        predicted, target = predicted_HW == index, target_HW == index
        left, top, width, height = cv2.boundingRect((predicted | target).view(np.uint8))
        box = slice(top, top + height), slice(left, left + width)
        if height:
            judged = np.where(valid[box], predicted[box], target[box])
            ious[index] = boundary_iou(judged, target[box], band)
        counted = parts_and_holes(predicted[box])
        parts.append(counted[0])
        holes.append(counted[1])
    return MaskQuality(ious, np.array(parts, np.intp), np.array(holes, np.intp))


def band_width(height: int, width: int) -> int:
    """Return the width of the compared band in pixels for an image of that size, at least 1."""
    return max(1, round(BAND * float(np.hypot(height, width))))


def boundary_iou(predicted_hw: Mask, target_hw: Mask, band: int) -> float:
    """Return the IoU of what lies within ``band`` pixels of the border of each mask, inside it.

    The edge of the arrays counts as a border. NaN if both masks are empty.

    Args:
        predicted_hw: a mask.
        target_hw: the other one.
        band: pixels, 1 or more.
    """
    first, second = (_near_border(mask, band) for mask in (predicted_hw, target_hw))
    area = np.count_nonzero(first | second)
    return float(np.count_nonzero(first & second) / area) if area else float("nan")


def parts_and_holes(mask_hw: Mask) -> tuple[int, int]:
    """Return the number of 8-connected components of a mask, and of its 4-connected holes."""
    padded_hw = np.pad(mask_hw, 1).view(np.uint8)
    parts, _ = cv2.connectedComponents(padded_hw, connectivity=8)
    outside, _ = cv2.connectedComponents(1 - padded_hw, connectivity=4)
    return parts - 1, outside - 2  # without the mask itself, and what surrounds it


def _near_border(mask_hw: Mask, band: int) -> Mask:
    square = np.ones((2 * band + 1, 2 * band + 1), np.uint8)
    inner = cv2.erode(mask_hw.view(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask_hw & ~inner.view(np.bool_)
