"""Which model answers which page: a page with pending masks keeps the one that made them."""

import threading
import time
from collections.abc import Callable

from backend.serving.engine import Model

ANSWERING_SECONDS = 300.0
"""For so long a call may be on its way to making masks that will be pending."""

UNUSED_SECONDS = 24 * 3600.0
"""Pending masks of a page unused for longer tie no more: after its last accept no call comes."""

MAX_PAGES = 10_000
"""As many as are remembered at all (``SessionStore``)."""


class PageModels:
    """Remembers a model for each page that has pending masks; safe to use from many threads.

    ``pending`` says whether a page has any: not if it is forgotten. Old weights stay in memory
    only as long as some page needs them, at most a day after its last call.
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
            for key, (old, used) in list(self._kept.items()):
                if old is not current and not self._needed(key, now - used):
                    del self._kept[key]
            kept = self._kept.pop(page, None)
            model = kept[0] if pending and kept is not None else current
            self._kept[page] = (model, now)  # the last used is the last
            for key in list(self._kept)[:-MAX_PAGES]:
                del self._kept[key]
        return model

    @property
    def versions(self) -> set[str]:
        """The versions that pages are tied to."""
        with self._lock:
            return {model.version for model, _ in self._kept.values()}

    def _needed(self, page: int, unused: float) -> bool:
        if unused > UNUSED_SECONDS:
            return False
        return unused < ANSWERING_SECONDS or self._pending(page)
