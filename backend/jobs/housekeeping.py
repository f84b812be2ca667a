"""The housekeeping of a worker: a thread that runs a few chores every ten seconds.

Every worker has one. Chores must bear it that several workers run them at the same time.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
"""A started job counts as abandoned 65 s after its last heartbeat (rq: 5 s and a fixed 60)."""

SLEEP_SECONDS = 30.0
"""If a round comes this late, the machine slept, this process was stopped, or the clock was set."""


class Housekeeping:
    """Runs chores, one after the other, every ten seconds until closed.

    Args:
        chores: What to run.
        clock: The time of day in seconds. A monotonic clock may stand still while a machine sleeps.
    """

    def __init__(
        self, chores: Sequence[Callable[[], None]], clock: Callable[[], float] = time.time
    ) -> None:
        self._chores = chores
        self._clock = clock
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
        before = self._clock()
        while not self._stop.wait(EVERY_SECONDS):
            late = self._clock() - before - EVERY_SECONDS
            if late > SLEEP_SECONDS:
                # Running jobs look abandoned now; within a round their workers say that they live.
                log.info(
                    "the machine slept, or its clock was set: the housekeeping is %.0f s late", late
                )
            else:
                self.run_once()
            before = self._clock()
