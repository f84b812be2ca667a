"""One thread that does all work on a device, the most urgent first."""

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, Generic, TypeVar

from backend.errors import ServingError

T = TypeVar("T")


class ClosedError(ServingError):
    """The device's thread has ended, or is about to: it takes no more work."""

    code = "model_unavailable"
    status = 503


class Urgency(IntEnum):
    """Who is waiting; smaller comes first."""

    CLICK = 0
    """Somebody has clicked and looks at a spinner."""
    ENCODE = 1
    """A click waits for the features of its image."""
    PREWARM = 2
    """Nobody waits: features computed ahead of time."""
    STOP = 3


class DeviceThread:
    """Runs callables one at a time; a click waits for the one running, not for those queued.

    The model is used by one thread only, so that it needs no lock and torch has one pool of
    threads.
    """

    def __init__(self, name: str = "device") -> None:
        self._order = itertools.count()
        self._queue: queue.PriorityQueue[tuple[int, int, Job[Any]]] = queue.PriorityQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, urgency: Urgency, work: Callable[[], T]) -> "Job[T]":
        """Queue ``work``; its result or exception arrives in the job's future.

        After ``close`` that is at once a ``ClosedError``.
        """
        job = Job(work)
        with self._lock:  # what is queued must be so before the order to stop
            if not self._is_closed:
                self._put(urgency, job)
                return job
        job.future.set_exception(
            ClosedError("the backend is stopping and takes no more work: try again when it is back")
        )
        return job

    def hurry(self, job: "Job[Any]", urgency: Urgency) -> None:
        """Make a queued job more urgent; a job already started or done stays as it is."""
        self._put(urgency, job)

    def close(self) -> None:
        """Finish what is queued, then end the thread."""
        with self._lock:
            self._is_closed = True
            self._put(Urgency.STOP, Job(_stop))
        self._thread.join()

    @property
    def waiting(self) -> int:
        """How many jobs are queued, for the status page (hurried ones count twice)."""
        return self._queue.qsize()

    def _put(self, urgency: Urgency, job: "Job[Any]") -> None:
        self._queue.put((urgency, next(self._order), job))

    def _run(self) -> None:
        while True:
            _, _, job = self._queue.get()
            if job.work is _stop:
                return
            job.run()
            del job  # an idle thread must not keep the last result alive


def _stop() -> None: ...


class Job(Generic[T]):
    """A callable and the future of its result; runs at most once."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.future: Future[T] = Future()
        self._claimed = threading.Lock()

    def run(self) -> None:
        """Run it in the calling thread, unless it ran already or was cancelled."""
        if not self._claimed.acquire(blocking=False):
            return
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except BaseException as error:
            self.future.set_exception(error)
