"""Which model answers which page: a page with pending masks keeps the one that made them."""

import threading
import time
from collections.abc import Callable

from backend.engine import Model

ANSWERING_SECONDS = 300.0
"""For so long a call may be on its way to making masks that will be pending."""

MAX_PAGES = 10_000
"""As many as are remembered at all (``SessionStore``)."""


class PageModels:
    """Remembers a model for each page that has pending masks; safe to use from many threads.

    ``pending`` says whether a page has any: not if it is forgotten. Old weights stay in memory
    only as long as some page needs them.
    """

    def __init__(
        self, pending: Callable[[int], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pending = pending
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[Model, float]] = {}

    def choose(self, page: int, current: Model) -> Model:
        """The model for a call of a page, which pending masks tie to the one it had."""
        now, pending = self._clock(), self._pending(page)
        with self._lock:
            kept = self._kept.pop(page, None)
            model = kept[0] if pending and kept is not None else current
            self._kept[page] = (model, now)  # the last used is the last
            left = [
                key
                for key, (old, used) in self._kept.items()
                if old is not current and now - used >= ANSWERING_SECONDS and not self._pending(key)
            ]
            for key in (*left, *list(self._kept)[:-MAX_PAGES]):
                self._kept.pop(key, None)
        return model

    @property
    def versions(self) -> set[str]:
        """The versions that pages are tied to."""
        with self._lock:
            return {model.version for model, _ in self._kept.values()}
