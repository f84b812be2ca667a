"""Painted regions → masks, each decoded once."""

import threading
from collections import OrderedDict

import numpy as np

from backend.session.bitmask import BitMask, Mask
from backend.session.call import Painted
from backend.session.strokes import paint
from dynamite import brush_rle
from dynamite.errors import InvalidInputError

MAX_PIXELS = 2**27
"""Larger masks are not decoded."""
_SOLID = 127  # alpha above which an antialiased pixel counts


class MaskReader:
    """Decodes painted regions and keeps the latest ``max_bytes`` of masks. Thread-safe."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], BitMask] = OrderedDict()
        self._bytes = 0

    def __call__(self, painted: Painted) -> BitMask:
        """The mask of ``painted``; empty where its stream cannot be read."""
        key = (painted.digest, painted.height, painted.width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        mask = _decode(painted)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = mask
                self._bytes += mask.nbytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return mask


def _decode(painted: Painted) -> BitMask:
    shape = (painted.height, painted.width)
    if painted.height * painted.width > MAX_PIXELS:
        return BitMask.of(np.zeros((1, 1), np.bool_))
    mask: Mask = np.zeros(shape, np.bool_)
    if painted.rle:
        try:
            mask = brush_rle.decode(painted.rle, shape) > _SOLID
        except InvalidInputError:
            mask = np.zeros(shape, np.bool_)
    return BitMask.of(paint(mask, painted.strokes))
