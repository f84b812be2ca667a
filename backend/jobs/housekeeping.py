"""The housekeeping of a worker: a thread that runs a few chores every ten seconds.

Every worker has one. Chores must bear it that several workers run them at the same time.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
"""A started job counts as abandoned 65 s after its last heartbeat (rq: 5 s and a fixed 60)."""


class Housekeeping:
    """Runs chores, one after the other, every ten seconds until closed."""

    def __init__(self, chores: Sequence[Callable[[], None]]) -> None:
        self._chores = chores
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def run_once(self) -> None:
        """Run every chore once; one that fails does not stop the others."""
        for chore in self._chores:
            try:
                chore()
            except (RedisError, OSError) as error:
                log.warning("the queue server is away: %s", error)
                return
            except Exception:
                log.exception("a chore of the housekeeping failed")

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.run_once()
