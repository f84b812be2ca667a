"""Decodes the masks of calls: each once in a call, the latest ones once for several calls."""

import threading
from collections import OrderedDict

import numpy as np

from backend.session.bitmask import BitMask
from backend.session.paint import Paint
from dynamite.errors import InvalidInputError

MAX_PIXELS = 50_000_000
"""Pixels of the largest image, where nobody says otherwise."""

FRAMES = 100
"""How often the decoded masks of one call may fill the largest image, and its strokes again."""

Key = tuple[str, int, int]
"""Names what a mask is drawn from: its name, height and width."""


class MaskCache:
    """The latest ``max_bytes`` of decoded masks, for all calls. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, BitMask] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key) -> BitMask | None:
        """The mask of that name, if it is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Key, mask: BitMask) -> None:
        """Keep a mask; those unused for longest go."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = mask
                self._bytes += mask.nbytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes


class MaskReader:
    """Decodes the painted masks of one call, and keeps them until it ends.

    A call may look into every mask for each of its clicks, so none is decoded twice. Not
    thread-safe.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS, cache: MaskCache | None = None) -> None:
        """Take the limits and the cache.

        Args:
            max_pixels: of the largest image. All masks of the call together, and all its strokes,
                may have ``FRAMES`` times as many.
            cache: masks that other calls have decoded.
        """
        self._max_pixels = max_pixels
        self._cache = cache
        self._kept: dict[Key, BitMask] = {}
        self._pixels = 0
        self._drawn = 0

    def __call__(self, painted: Paint) -> BitMask:
        """The pixels of ``painted``; none where its stream is damaged.

        A mask larger than the largest image has none either: its image cannot be opened.

        Raises:
            InvalidInputError: the masks of the call have too many pixels, or its strokes paint too
                many.
        """
        key = (painted.name, painted.height, painted.width)
        if key not in self._kept:
            self._kept[key] = mask = self._find(key, painted)
            _, _, rows, columns = mask.box
            self._pixels += rows * columns
            self._check(self._pixels, "masks cover")
        return self._kept[key]

    def _find(self, key: Key, painted: Paint) -> BitMask:
        if painted.height * painted.width > self._max_pixels:
            return BitMask.of(np.zeros((1, 1), np.bool_))
        mask = self._cache.get(key) if self._cache else None
        if mask is None:
            self._drawn += painted.drawing_cost
            self._check(self._drawn, "strokes and polygons paint")
            mask = painted.decode()
            if self._cache:
                self._cache.put(key, mask)
        return mask

    def _check(self, pixels: int, what: str) -> None:
        if pixels > FRAMES * self._max_pixels:
            raise InvalidInputError(
                f"the {what} {pixels} pixels, more than {FRAMES} images of {self._max_pixels} "
                "pixels: delete some regions of this task"
            )
