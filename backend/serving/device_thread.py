"""One thread that does all the work on a device, most urgent first."""

import itertools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, Generic, TypeVar

from backend.errors import ServingError

T = TypeVar("T")


class ClosedError(ServingError):
    """The device's thread has ended or is ending: it accepts no more work."""

    code = "model_unavailable"
    status = 503


class Urgency(IntEnum):
    """The order of queued work; smaller values run first."""

    CLICK = 0
    """An annotator has clicked and sees a spinner."""
    ENCODE = 1
    """A click waits for the features of its image."""
    PREWARM = 2
    """Features computed ahead of time; no request waits for them."""
    STOP = 3


class DeviceThread:
    """Runs callables one at a time, the most urgent first; one that breathes lets others overtake.

    Only one thread uses the model, so the model needs no lock and torch has a single thread pool.
    """

    def __init__(self, name: str = "device") -> None:
        self._order = itertools.count()
        self._queue: queue.PriorityQueue[tuple[int, int, Job[Any]]] = queue.PriorityQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._running: Job[Any] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, urgency: Urgency, work: Callable[[], T]) -> "Job[T]":
        """Queue ``work`` and return its job; the job's future receives the result or exception.

        After ``close`` the future fails at once with ``ClosedError``.
        """
        job = Job(work, urgency)
        with self._lock:  # nothing may be queued behind the stop
            if not self._is_closed:
                self._put(urgency, job)
                return job
        job.future.set_exception(
            ClosedError("the backend is stopping and takes no more work: try again when it is back")
        )
        return job

    def hurry(self, job: "Job[Any]", urgency: Urgency) -> None:
        """Make a job more urgent, whether it is queued or runs."""
        job.urgency = min(job.urgency, urgency)
        self._put(urgency, job)

    def breathe(self) -> None:
        """Run what is queued and more urgent than the running job; called amid that job's work."""
        while self._is_overtaken():
            self._run_next()

    def close(self) -> None:
        """Finish the queued jobs, then end the thread."""
        with self._lock:
            self._is_closed = True
            self._put(Urgency.STOP, Job(_stop, Urgency.STOP))
        self._thread.join()

    @property
    def waiting(self) -> int:
        """How many jobs are queued (hurried jobs count twice). For the status page."""
        return self._queue.qsize()

    @property
    def oldest_seconds(self) -> float:
        """How long the job that was submitted first has been queued; 0 without any."""
        with self._queue.mutex:
            since = [job.since for *_, job in self._queue.queue if job.is_queued]
        return time.monotonic() - min(since) if since else 0.0

    def _put(self, urgency: Urgency, job: "Job[Any]") -> None:
        self._queue.put((urgency, next(self._order), job))

    def _run(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Run the most urgent job, once there is one; false if it is the stop.

        The job is kept no longer: an idle thread must not keep the last result alive.
        """
        _, _, job = self._queue.get()
        if job.work is _stop:
            return False
        before, self._running = self._running, job
        job.run()
        self._running = before
        return True

    def _is_overtaken(self) -> bool:
        with self._queue.mutex:
            waiting = self._queue.queue
            return bool(waiting and self._running and waiting[0][0] < self._running.urgency)


def _stop() -> None: ...


def _done() -> Any:
    """Stand in for the work of a job that has run."""


class Job(Generic[T]):
    """A callable and the future of its result. It runs at most once."""

    def __init__(self, work: Callable[[], T], urgency: Urgency = Urgency.CLICK) -> None:
        self.work = work
        self.urgency = urgency
        self.future: Future[T] = Future()
        self.since = time.monotonic()
        self._claimed = threading.Lock()

    @property
    def is_queued(self) -> bool:
        """Whether it has not begun to run."""
        return not self._claimed.locked()

    def run(self) -> None:
        """Run the callable in this thread, unless it has already run or was cancelled."""
        if not self._claimed.acquire(blocking=False):
            return
        if not self.future.set_running_or_notify_cancel():
            return
        work, self.work = self.work, _done  # a hurried job stays queued: it must not keep an image
        try:
            self.future.set_result(work())
        except BaseException as error:
            self.future.set_exception(error)
