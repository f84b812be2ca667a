"""Masks as CVAT writes them: runs of the crop around the mask, row by row, then its corners.

``[runs…, left, top, right, bottom]``: the first run is of pixels outside the object, and may be 0;
right and bottom are the last column and row inside.
"""

from collections.abc import Sequence
from hashlib import blake2b

import cv2
import numpy as np
import numpy.typing as npt

from dynamite.errors import InvalidInputError

Mask = npt.NDArray[np.bool_]

Box = tuple[int, int, int, int]
"""left, top, right, bottom; the last two inside."""


def box_of(mask: Mask) -> Box:
    """Return the box around the pixels of an H×W mask that has some."""
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    return left, top, left + width - 1, top + height - 1


def crop(mask: Mask, box: Box) -> Mask:
    """Return the part of a mask in a box."""
    left, top, right, bottom = box
    return mask[top : bottom + 1, left : right + 1]


def encode(mask: Mask) -> list[int]:
    """Return an H×W mask that has pixels as CVAT writes it."""
    box = box_of(mask)
    flat = crop(mask, box).ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    runs = np.diff(edges).tolist()
    return [*([0] if flat[0] else []), *runs, *box]


def decode(points: Sequence[float], height: int, width: int) -> Mask:
    """Return the H×W mask that CVAT wrote.

    Raises:
        InvalidInputError: the numbers are none that it writes for an image of this size.
    """
    try:
        numbers = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"a mask of {len(points)} numbers holds others: {error}") from None
    if numbers.ndim != 1 or numbers.size < 5 or not np.isfinite(numbers).all():
        raise InvalidInputError(f"a mask of {len(points)} numbers is too short, or no list")
    if (np.abs(numbers) > height * width).any() or (np.round(numbers) != numbers).any():
        raise InvalidInputError("a mask holds numbers that are not whole, or larger than the image")
    whole = numbers.astype(np.int64)
    runs, (left, top, right, bottom) = whole[:-4], whole[-4:].tolist()
    if not (0 <= left <= right < width and 0 <= top <= bottom < height):
        raise InvalidInputError(
            f"a mask lies at {left}, {top} to {right}, {bottom}, outside the image of "
            f"{width}×{height} pixels"
        )
    rows, columns = bottom - top + 1, right - left + 1
    if (runs < 0).any() or int(runs.sum()) != rows * columns:
        raise InvalidInputError(
            f"the runs of a mask cover {int(runs.sum())} pixels, its box has {rows * columns}"
        )
    mask: Mask = np.zeros((height, width), np.bool_)
    values = np.arange(runs.size) % 2 == 1
    mask[top : bottom + 1, left : right + 1] = np.repeat(values, runs).reshape(rows, columns)
    return mask


def name(points: Sequence[int]) -> str:
    """Return a name for a mask as ``encode`` writes it, to know it again once it is accepted."""
    return blake2b(np.asarray(points, np.int64).tobytes(), digest_size=16).hexdigest()
