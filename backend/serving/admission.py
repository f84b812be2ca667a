"""Places for requests that wait for the model, fewer than the server has threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backend.errors import ServingError


class BusyError(ServingError):
    """More requests wait for the model than there are places."""

    code = "busy"
    status = 503


class Admission:
    """Keeps threads free for what must be answered at once, such as /health, however many wait."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            BusyError: none is free.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError(
                f"{self._places} requests wait for the model already: try again in a moment, or "
                "set DYNAMITE_THREADS higher"
            )
        try:
            yield
        finally:
            self._free.release()
