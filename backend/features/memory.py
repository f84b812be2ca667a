"""A cache tier in memory, of the host or of the device."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from backend.features.key import Features, Key

F = TypeVar("F", bound=Features)


class MemoryTier(Generic[F]):
    """An LRU cache that never holds more than ``budget`` bytes. Thread-safe.

    ``evicted`` counts what had to make room for newer values.
    """

    is_off = False

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self.evicted = 0
        self._values: OrderedDict[Key, F] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def get(self, key: Key) -> F | None:
        """Return the value and mark it as the most recently used; None on a miss."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: F) -> list[tuple[Key, F]]:
        """Keep a value.

        Returns:
            The entries evicted for it; the new entry itself if it is larger than the budget.
        """
        if value.nbytes > self.budget:
            return [(key, value)]
        evicted = []
        with self._lock:
            self._pop(key)
            while self.used + value.nbytes > self.budget:
                oldest = next(iter(self._values))
                evicted.append((oldest, self._pop(oldest)))
            self.evicted += len(evicted)
            self._values[key] = value
            self.used += value.nbytes
        return [(key, old) for key, old in evicted if old is not None]

    def remove(self, key: Key) -> None:
        """Drop a value, if it is there."""
        with self._lock:
            self._pop(key)

    def _pop(self, key: Key) -> F | None:
        value = self._values.pop(key, None)
        if value is not None:
            self.used -= value.nbytes
        return value
