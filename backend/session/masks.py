"""Decodes the masks of a page, each one once."""

import threading
from collections import OrderedDict

from backend.session.bitmask import BitMask
from backend.session.paint import Paint


class MaskReader:
    """Decodes painted masks and keeps the latest ``max_bytes`` of them. Thread-safe."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], BitMask] = OrderedDict()
        self._bytes = 0

    def __call__(self, painted: Paint) -> BitMask:
        """The pixels of ``painted``; none where its stream is damaged."""
        key = (painted.digest, painted.height, painted.width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        mask = painted.decode()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = mask
                self._bytes += mask.nbytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return mask
