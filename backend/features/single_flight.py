"""One computation per key, however many threads ask for it at once."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """The first caller for a key computes; callers that arrive meanwhile share its value or error.

    Errors are not remembered: the next caller computes again. If the first caller is cancelled (it
    raises one of ``cancellations``, or its thread ends), that concerns no other caller: one of the
    waiting callers computes instead.
    """

    def __init__(self, cancellations: tuple[type[Exception], ...] = ()) -> None:
        self._cancellations: tuple[type[Exception], ...] = (CancelledError, *cancellations)
        self._lock = threading.Lock()
        self._running: dict[K, Future[V]] = {}

    def get(self, key: K, compute: Callable[[], V]) -> V:
        """Return the result of ``compute``, called here or by an earlier caller that still runs."""
        while True:
            with self._lock:
                running = self._running.get(key)
                if running is None:
                    mine = self._running[key] = Future()
            if running is None:
                return self._compute(key, mine, compute)
            try:
                return running.result()
            except CancelledError:
                continue

    def _compute(self, key: K, future: Future[V], compute: Callable[[], V]) -> V:
        try:
            value = compute()
        except BaseException as error:
            self._finish(key)
            shared = isinstance(error, Exception) and not isinstance(error, self._cancellations)
            future.set_exception(error if shared else CancelledError())
            raise
        self._finish(key)
        future.set_result(value)
        return value

    def _finish(self, key: K) -> None:
        with self._lock:
            del self._running[key]
