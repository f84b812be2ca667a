"""Features computed before anybody clicks, in the background."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)

HELPERS = 2
"""Threads that fetch and decode; the model's own thread does the rest."""

WAITING = 1000
"""Most images waiting; more are left for the first click to encode."""

MAX_CHARACTERS = 50_000_000
"""Most characters of the addresses waiting: data: images are their own addresses."""


class Prewarmer:
    """Runs ``warm(address, task)`` in the background, once for images asked for twice."""

    def __init__(self, warm: Callable[[str, str], None]) -> None:
        self._warm = warm
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._pool = ThreadPoolExecutor(HELPERS, thread_name_prefix="prewarm")

    def ask(self, address: str, task: str) -> bool:
        """Warm an image some time soon; false if it waits already or too many do."""
        with self._lock:
            characters = len(address) + sum(map(len, self._pending))
            crowded = len(self._pending) >= WAITING or characters > MAX_CHARACTERS
            if crowded or address in self._pending:
                return False
            self._pending.add(address)
        self._pool.submit(self._run, address, task)
        return True

    @property
    def waiting(self) -> int:
        """Images not warm yet."""
        with self._lock:
            return len(self._pending)

    def close(self) -> None:
        """Give up what has not begun."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, address: str, task: str) -> None:
        try:
            self._warm(address, task)
        except Exception as error:  # the first click will say it again, to a person
            log.info("task %.40r: its image cannot be prepared ahead of time: %s", task, error)
        finally:
            with self._lock:
                self._pending.discard(address)
