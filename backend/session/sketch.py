"""Small pictures of masks, to tell by overlap whether one is another that moved a little.

A page that keeps outlines may round, resample or trace them itself. Their pixels then differ.
"""

import base64
import binascii

import cv2
import numpy as np

from backend.session.bitmask import BitMask, Mask

SIDE = 32
"""Samples across the box of a mask, and down."""

ALIKE = 0.95
"""Overlap (intersection over union) from which on two masks count as the same."""


def sketch(mask: BitMask) -> str:
    """Return a mask as about 200 characters: its box and what it fills of it."""
    box = ",".join(map(str, mask.box))
    return (
        f"{box},{base64.b64encode(np.packbits(_samples(mask.inside())).tobytes()).decode('ascii')}"
    )


def overlap(drawn: str, mask: BitMask) -> float:
    """Return the overlap of a sketch and a mask of the same image, 0…1; 0 for any other text."""
    try:
        *box, samples = drawn.split(",")
        top, left, rows, columns = map(int, box)
        packed = np.frombuffer(base64.b64decode(samples, validate=True), np.uint8)
    except (ValueError, binascii.Error):
        return 0.0
    if packed.size * 8 != SIDE * SIDE or min(top, left, rows - 1, columns - 1) < 0:
        return 0.0
    before = np.unpackbits(packed).view(np.bool_).reshape(SIDE, SIDE)
    whole = mask.array()
    inside = whole[top : top + rows, left : left + columns]
    if inside.shape != (rows, columns):
        return 0.0
    now = _samples(inside)
    beyond = int(np.count_nonzero(whole)) - int(np.count_nonzero(inside))
    union = np.count_nonzero(before | now) + beyond * SIDE * SIDE / (rows * columns)
    return float(np.count_nonzero(before & now) / union) if union else 0.0


def _samples(mask: Mask) -> Mask:
    if not mask.size:
        return np.zeros((SIDE, SIDE), np.bool_)
    full = mask.view(np.uint8) * np.uint8(255)
    return cv2.resize(full, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 127
