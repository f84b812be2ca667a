"""Which model answers which page: a page with pending masks keeps the one that made them."""

import threading
import time
from collections.abc import Callable

from backend.engine import Model

KEPT_SECONDS = 3600.0
"""A page unused for so long is taken to be left."""


class PageModels:
    """Remembers a model for each page that has pending masks; safe to use from many threads.

    Old weights stay in memory only as long as some page needs them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[Model, float]] = {}

    def choose(self, page: int, current: Model, *, pending: bool) -> Model:
        """The model for a call of a page, which ``pending`` masks tie to the one it had."""
        now = self._clock()
        with self._lock:
            self._kept = {
                key: kept for key, kept in self._kept.items() if now - kept[1] < KEPT_SECONDS
            }
            kept = self._kept.get(page)
            model = kept[0] if pending and kept is not None else current
            self._kept[page] = (model, now)
        return model

    @property
    def versions(self) -> set[str]:
        """The versions that pages are tied to."""
        with self._lock:
            return {model.version for model, _ in self._kept.values()}
