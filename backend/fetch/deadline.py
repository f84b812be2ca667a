"""A deadline for a whole fetch: resolving, connecting, redirects and reading."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from copy import copy
from typing import Self, TypeVar

from backend.errors import ImageTimeoutError

T = TypeVar("T")


class Deadline:
    """Limits the time since its creation.

    Socket timeouts apply to each read, so a server that sends a byte now and then never exceeds
    them; it does exceed this.
    """

    def __init__(self, seconds: float, setting: str = "") -> None:
        """``setting``: the variable that raises the limit, if there is one."""
        self._seconds = seconds
        self._setting = setting
        self._end = time.monotonic() + seconds
        self._awaited = "the image"

    def awaiting(self, what: str) -> Self:
        """Return the same deadline, whose error names ``what``: a URL without its query."""
        same = copy(self)
        same._awaited = what
        return same

    def left(self) -> float:
        """Return the seconds left, more than 0.

        Raises:
            ImageTimeoutError: The time is over.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> ImageTimeoutError:
        """Return the error to raise when the time is over."""
        allowed = f"{self._seconds:g} seconds" + (f" ({self._setting})" if self._setting else "")
        return ImageTimeoutError(f"{self._awaited} did not answer in full within {allowed}")

    def wait_for(self, work: Callable[[], T]) -> T:
        """Run ``work`` in another thread and return its result.

        ``work`` cannot be interrupted: if it is late, its thread is abandoned.

        Raises:
            ImageTimeoutError: It did not finish in time.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # raised again in the waiting thread
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return future.result(self.left())
        except TimeoutError:
            raise self.error() from None

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Call ``cut`` from another thread if the time ends within the block."""
        timer = threading.Timer(self.left(), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
