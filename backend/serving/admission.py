"""Limits how many requests may wait for the model, below the server's number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backend.errors import ServingError


class BusyError(ServingError):
    """Too many requests are waiting for the model."""

    code = "busy"
    status = 503


class Admission:
    """Keeps threads free for requests that must be answered at once, such as /health.

    Requests that wait for another server take no place from those that need the model alone: one
    silent image host must not stop clicks on images that are ready. They are limited by themselves.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._free = threading.BoundedSemaphore(places)
        self._free_outside = threading.BoundedSemaphore(places)
        self._own = threading.local()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places during the block.

        Raises:
            BusyError: no place is free.
        """
        if not self._free.acquire(blocking=False):
            raise self._busy("the model")
        self._own.has_place = True
        try:
            yield
        finally:
            self._own.has_place = False
            self._free.release()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Leave this thread's place to others during the block, if it holds one.

        Raises:
            BusyError: as many are outside already.
        """
        if not getattr(self._own, "has_place", False):
            yield
            return
        if not self._free_outside.acquire(blocking=False):
            raise self._busy("image hosts")
        try:
            self._free.release()
            try:
                yield
            finally:
                self._free.acquire()  # the model is waited for, however long: so few are outside
        finally:
            self._free_outside.release()

    def _busy(self, what: str) -> BusyError:
        return BusyError(
            f"{self._places} requests are already waiting for {what}: try again in a moment, or "
            "increase DYNAMITE_THREADS"
        )
