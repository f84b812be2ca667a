"""Bounds the pixels of all images that are in memory at once, however many are asked for."""

import gc
import threading
import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from backend.errors import ImageBusyError

WAIT_SECONDS = 60.0
"""How long an image waits for room."""

COLLECT_SECONDS = 1.0
"""How long it waits before garbage is collected."""

LARGE_PIXELS = 16_000_000
"""Images from this size on leave so much free memory behind that it is given back."""

IDLE_SECONDS = 1.0
"""How long after the last image the memory is given back."""

Pixels = npt.NDArray[np.uint8]


class PixelBudget:
    """Room for ``pixels`` of decoded images. Thread-safe.

    An image takes its room before it is decoded and holds it until its array is gone, because many
    decoded images may wait for the model. One image alone always has room.
    """

    def __init__(self, pixels: int, give_back_memory: Callable[[], object]) -> None:
        """``give_back_memory`` is called in a thread of its own once no large image is left."""
        self._pixels = pixels
        self._give_back_memory = give_back_memory
        self._changed = threading.Condition(threading.RLock())  # arrays may go at any moment
        self._used = 0
        self._had_large = False

    def decode(self, pixels: int, make: Callable[[], Pixels]) -> Pixels:
        """Return the array that ``make`` returns, once there is room for its ``pixels``.

        Raises:
            ImageBusyError: there was no room for ``WAIT_SECONDS``.
            Exception: whatever ``make`` raises.
        """
        self._take(pixels)
        try:
            made = make()
        except BaseException:
            self._give(pixels)
            raise
        weakref.finalize(made, self._give, pixels).atexit = False
        return made

    def _take(self, pixels: int) -> None:
        if self._takes(pixels, COLLECT_SECONDS):
            return
        gc.collect()  # the traceback of an error may keep an image in a cycle of references
        if not self._takes(pixels, WAIT_SECONDS):
            raise ImageBusyError(
                f"other large images are being worked on, and this one of {pixels} pixels found no "
                f"room for {WAIT_SECONDS:g} seconds: try again"
            )

    def _takes(self, pixels: int, seconds: float) -> bool:
        """Whether there was room within ``seconds``; it is taken then."""
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: not self._used or self._used + pixels <= self._pixels, seconds
            )
            if has_room:
                self._used += pixels
            return has_room

    def _give(self, pixels: int) -> None:
        with self._changed:
            self._used -= pixels
            self._had_large |= pixels >= LARGE_PIXELS
            self._changed.notify_all()
            is_over = self._had_large and not self._used
        if is_over:
            timer = threading.Timer(IDLE_SECONDS, self._rest)
            timer.daemon = True
            timer.start()

    def _rest(self) -> None:
        with self._changed:
            if self._used or not self._had_large:
                return
            self._had_large = False
        self._give_back_memory()
