"""One computation per key, however many threads ask for it at once."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Flights(Generic[K, V]):
    """The first to ask for a key computes, the others wait for the same value or error.

    An error is not remembered: who asks after it computes again. Where the first one is cancelled
    (an error of ``cancellations``, or the end of its thread), that is nobody else's matter: one of
    those who wait takes its place.
    """

    def __init__(self, cancellations: tuple[type[Exception], ...] = ()) -> None:
        self._cancellations: tuple[type[Exception], ...] = (CancelledError, *cancellations)
        self._lock = threading.Lock()
        self._under_way: dict[K, Future[V]] = {}

    def fly(self, key: K, compute: Callable[[], V]) -> V:
        """The value of ``compute``, of this caller or of one who asked before."""
        while True:
            with self._lock:
                flight = self._under_way.get(key)
                if flight is None:
                    mine = self._under_way[key] = Future()
            if flight is None:
                return self._compute(key, mine, compute)
            try:
                return flight.result()
            except CancelledError:
                continue

    def _compute(self, key: K, flight: "Future[V]", compute: Callable[[], V]) -> V:
        try:
            value = compute()
        except BaseException as error:
            self._land(key)
            shared = isinstance(error, Exception) and not isinstance(error, self._cancellations)
            flight.set_exception(error if shared else CancelledError())
            raise
        self._land(key)
        flight.set_result(value)
        return value

    def _land(self, key: K) -> None:
        with self._lock:
            del self._under_way[key]
