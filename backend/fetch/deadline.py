"""One moment by which everything that belongs to a fetch must be done."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from copy import copy
from typing import Self, TypeVar

from backend.images.errors import ImageTimeoutError

T = TypeVar("T")


class Deadline:
    """Counts from its creation. Timeouts of sockets are per read, so that a server which sends a
    byte now and then never meets them; this one it meets."""

    def __init__(self, seconds: float, setting: str = "") -> None:
        """``setting``: the name of the variable that allows more, if one does."""
        self._seconds = seconds
        self._setting = setting
        self._end = time.monotonic() + seconds
        self._awaited = "the image"

    def awaiting(self, what: str) -> Self:
        """The same moment, told with what is waited for until then: an address without a query."""
        same = copy(self)
        same._awaited = what
        return same

    def left(self) -> float:
        """Seconds left, more than 0.

        Raises:
            ImageTimeoutError: none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> ImageTimeoutError:
        """What to raise when the time is over."""
        allowed = f"{self._seconds:g} seconds" + (f" ({self._setting})" if self._setting else "")
        return ImageTimeoutError(f"{self._awaited} did not answer in full within {allowed}")

    def wait_for(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which cannot be interrupted and so is left behind when late."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # it belongs to whoever waits
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return future.result(self.left())
        except TimeoutError:
            raise self.error() from None

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Call ``cut`` from another thread should the time end within the block."""
        timer = threading.Timer(self.left(), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
