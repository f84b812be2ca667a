"""Limits how many requests may wait for the model, below the server's number of threads."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from backend.errors import ServingError


class BusyError(ServingError):
    """Too many requests are waiting for the model."""

    code = "busy"
    status = 503


ROOMS = 3
"""Kinds of places: for those that need the model alone, that wait for a host, for an encode."""


class Admission:
    """Keeps threads free for requests that must be answered at once, such as /health.

    Requests that wait for another server, or for an image to be encoded, take no place from those
    that need the model alone: neither a silent image host nor a flood of new images must stop
    clicks on images that are ready. Each kind is limited by itself.
    """

    def __init__(self, places: int) -> None:
        """``places``: how many requests of each kind may wait."""
        self._places = places
        self._free = threading.BoundedSemaphore(places)
        self._free_outside = threading.BoundedSemaphore(places)
        self._free_encoding = threading.BoundedSemaphore(places)
        self._own = threading.local()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places during the block.

        Raises:
            BusyError: no place is free.
        """
        if not self._free.acquire(blocking=False):
            raise self._busy("the model")
        self._own.room = self._free
        try:
            yield
        finally:
            self._own.room = None
            self._free.release()

    def outside(self) -> AbstractContextManager[None]:
        """Leave this thread's place to others while a host is waited for, if it holds one.

        Raises:
            BusyError: as many wait for hosts already.
        """
        return self._elsewhere(self._free_outside, "image hosts")

    def encoding(self) -> AbstractContextManager[None]:
        """Leave this thread's place to others while an encode is waited for, if it holds one.

        Raises:
            BusyError: as many wait for encodes already.
        """
        return self._elsewhere(self._free_encoding, "images to be encoded")

    @contextmanager
    def _elsewhere(self, room: threading.BoundedSemaphore, what: str) -> Iterator[None]:
        before = getattr(self._own, "room", None)
        if before is None or before is room:
            yield
            return
        if not room.acquire(blocking=False):
            raise self._busy(what)
        try:
            before.release()
            self._own.room = room
            try:
                yield
            finally:
                before.acquire()  # waited for, however long: so few are elsewhere
                self._own.room = before
        finally:
            room.release()

    def _busy(self, what: str) -> BusyError:
        return BusyError(
            f"{self._places} requests are already waiting for {what}: try again in a moment, or "
            "increase DYNAMITE_THREADS"
        )
