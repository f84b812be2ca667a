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
    """Keeps threads free for requests that must be answered at once, such as /health."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places during the block.

        Raises:
            BusyError: no place is free.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError(
                f"{self._places} requests are already waiting for the model: try again in a "
                "moment, or increase DYNAMITE_THREADS"
            )
        try:
            yield
        finally:
            self._free.release()
