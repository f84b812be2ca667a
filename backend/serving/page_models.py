"""Which model serves which page: a page with pending masks keeps the model that made them."""

import threading
import time
from collections.abc import Callable

from backend.serving.engine import Model

ANSWERING_SECONDS = 300.0
"""How long a request may take until its masks are pending."""

UNUSED_SECONDS = 24 * 3600.0
"""Pending masks of a page unused for longer no longer count: no request follows its last accept."""

MAX_PAGES = 10_000
"""The limit of ``SessionStore``."""


class PageModels:
    """Remembers a model for each page that has pending masks. Thread-safe.

    Old weights stay in memory only while a page needs them, at most a day after its last request.
    """

    def __init__(
        self, pending: Callable[[int], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``pending``: whether a page has pending masks; false for a forgotten page."""
        self._pending = pending
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[Model, float]] = {}

    def choose(self, page: int, current: Model) -> Model:
        """Return the model for a request of a page: its former one if it has pending masks."""
        now, pending = self._clock(), self._pending(page)
        with self._lock:
            for key, (old, used) in list(self._kept.items()):
                if old is not current and not self._needed(key, now - used):
                    del self._kept[key]
            kept = self._kept.pop(page, None)
            model = kept[0] if pending and kept is not None else current
            self._kept[page] = (model, now)  # most recently used last
            for key in list(self._kept)[:-MAX_PAGES]:
                del self._kept[key]
        return model

    @property
    def versions(self) -> set[str]:
        """The versions in use by some page."""
        with self._lock:
            return {model.version for model, _ in self._kept.values()}

    def _needed(self, page: int, unused: float) -> bool:
        if unused > UNUSED_SECONDS:
            return False
        return unused < ANSWERING_SECONDS or self._pending(page)
