"""Asks a slow place, such as a share or another server, without waiting for it long."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """Runs questions in threads of its own; who has waited too long goes on without an answer.

    After a late answer nothing is asked for a while, so that a place that hangs is not waited for
    again and again. Thread-safe.
    """

    def __init__(
        self,
        name: str,
        *,
        pause: float,
        threads: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet.

        Args:
            name: of the threads.
            pause: seconds without a question after a late answer.
            threads: most questions at a time; more wait for their turn, and no longer than allowed.
            clock: seconds.
        """
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._pause = pause
        self._clock = clock
        self._until = float("-inf")
        self._lock = threading.Lock()

    @property
    def is_pausing(self) -> bool:
        """Whether an answer was late a moment ago."""
        return self._clock() < self._until

    def ask(self, question: Callable[[], T], seconds: float) -> T | None:
        """Return the answer to a question; None if it takes longer than ``seconds``.

        Raises:
            Exception: what ``question`` raised in time.
        """
        with self._lock:  # nothing may be submitted after close
            if self.is_pausing:
                return None
            answer = self._pool.submit(question)
        try:
            return answer.result(seconds)
        except TimeoutError as error:
            if answer.done() and answer.exception() is error:  # the question's own
                raise
            answer.cancel()
            self.rest()
            return None

    def rest(self) -> None:
        """Ask nothing for a while."""
        with self._lock:
            self._until = max(self._until, self._clock() + self._pause)

    def close(self) -> None:
        """Ask nothing any more; wait for no answer."""
        with self._lock:
            self._until = float("inf")
        self._pool.shutdown(wait=False, cancel_futures=True)
