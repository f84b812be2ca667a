"""A tier in memory, of the host or of the device: what was used last stays."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from backend.features.values import Features, Key

F = TypeVar("F", bound=Features)


class MemoryTier(Generic[F]):
    """Never holds more than ``budget`` bytes. May be used by many threads."""

    is_off = False

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._values: OrderedDict[Key, F] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> F | None:
        """The value, which counts as used now."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: F) -> list[tuple[Key, F]]:
        """Keep a value; returns what has to leave for it, or itself if it is over the budget."""
        if value.nbytes > self.budget:
            return [(key, value)]
        leaving = []
        with self._lock:
            self._take(key)
            while self.used + value.nbytes > self.budget:
                oldest = next(iter(self._values))
                leaving.append((oldest, self._take(oldest)))
            self._values[key] = value
            self.used += value.nbytes
        return [(key, old) for key, old in leaving if old is not None]

    def remove(self, key: Key) -> None:
        """Forget a value, if it is there."""
        with self._lock:
            self._take(key)

    def drop_version(self, version: str) -> None:
        """Forget all values of a model version."""
        with self._lock:
            for key in [key for key in self._values if key.version == version]:
                self._take(key)

    def _take(self, key: Key) -> F | None:
        value = self._values.pop(key, None)
        if value is not None:
            self.used -= value.nbytes
        return value
