"""A small cache of what was computed last."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """The values of the last ``most`` keys asked for. Thread-safe; it computes without a lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[bytes, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, keys: Sequence[bytes], compute: Callable[[Sequence[int]], Sequence[V]]
    ) -> list[V]:
        """Return the value of each key.

        Args:
            keys: what is asked for.
            compute: returns the values of the keys at some positions, those that are missing.
        """
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
        missing = [at for at, key in enumerate(keys) if key not in found]
        if missing:
            made = compute(missing)
            found |= {keys[at]: value for at, value in zip(missing, made, strict=True)}
        with self._lock:
            for key in keys:
                self._values[key] = found[key]
                self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return [found[key] for key in keys]
