"""Computes features in the background, before the first click."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

log = logging.getLogger(__name__)

THREADS = 2
"""Threads that fetch and decode; the device thread encodes."""

MAX_WAITING = 1000
"""Limit on queued images; the first click encodes the others."""

MAX_CHARACTERS = 50_000_000
"""Limit on the total length of queued addresses: a data: URL contains the whole image."""


class Prewarmer:
    """Calls ``warm(address, task)`` in the background; an image is queued at most once."""

    def __init__(self, warm: Callable[[str, str], None]) -> None:
        self._warm = warm
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="prewarm")

    def ask(self, address: str, task: str) -> bool:
        """Queue an image; return false if it is queued already or the queue is full."""
        with self._lock:
            characters = len(address) + sum(map(len, self._pending))
            is_full = len(self._pending) >= MAX_WAITING or characters > MAX_CHARACTERS
            if is_full or address in self._pending:
                return False
            self._pending.add(address)
        self._pool.submit(copy_context().run, self._run, address, task)
        return True

    @property
    def waiting(self) -> int:
        """How many images are queued or being warmed."""
        with self._lock:
            return len(self._pending)

    def close(self) -> None:
        """Drop what is queued and wait for what is running."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, address: str, task: str) -> None:
        try:
            self._warm(address, task)
        except Exception as error:  # the first click reports it to the annotator
            log.info("task %.40r: cannot prepare its image ahead of time: %s", task, error)
        finally:
            with self._lock:
                self._pending.discard(address)
