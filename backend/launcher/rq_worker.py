"""rq's worker, changed: it stays registered, does allowed jobs only, each in its own process."""

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SpawnWorker
from rq.job import Job
from rq.utils import now
from rq.worker.base import WorkerStatus
from rq.worker_registration import register

from backend import request_id
from backend.jobs.housekeeping import SLEEP_SECONDS
from backend.jobs.job_queue import TRAIN
from backend.launcher.allowed_jobs import AllowedJob, ForbiddenJobError, check_allowed
from backend.retraining.enqueueing import enqueue_waiting
from backend.retraining.verdicts import note_verdict
from backend.settings.log_options import LogOptions
from dynamite.lifeline import die_with_parent

log = logging.getLogger(__name__)

MONITORING_SECONDS = 5
"""How often a worker tells the queue server that its job goes on."""

JOB = ("RQ_WORKER_ID", "RQ_WORKER_PID", "RQ_JOB_ID", "RQ_EXECUTION_ID", "RQ_JOB_QUEUE")
QUEUE_URL, LOGGING = "RQ_JOB_QUEUE_URL", "RQ_JOB_LOGGING"
"""Variables of a job's process: which job of whom it does, where the queue is, how to log."""


@contextmanager
def threads_without_signals() -> Iterator[None]:
    """Let the threads that are started meanwhile take no signal.

    While a process is stopped, its alarm waits, and afterwards any thread may take it. The main
    thread would then not wake, and never again tell the queue server that its job goes on.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker(SpawnWorker):
    """rq's spawning worker, whose job processes die with it and do not show the queue's password.

    After a training it enqueues the one of the same line that waits.
    """

    job_class = AllowedJob
    queue_url = ""
    log_options: LogOptions = {"level": "info", "secrets": [], "form": "text"}  # noqa: RUF012
    last_cleaned_at: Any  # a datetime, or None before the first time; rq annotates it as None

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tell the queue server that this worker lives, and who it is.

        The server forgets a worker that was silent for 85 s, because the machine slept, say. rq's
        own heartbeat would then leave one without birth, process id and queues.
        """
        super().heartbeat(timeout, pipeline)
        if self.birth_date is None:  # the process of a job knows its worker by name only
            return
        redis = self.connection if pipeline is None else pipeline
        redis.hset(self.key, mapping=self.serialize() | {"state": self.get_state()})
        register(self, pipeline)

    def subscribe(self) -> None:
        """Start the thread that listens for commands."""
        with threads_without_signals():
            super().subscribe()  # type: ignore[no-untyped-call]

    def clean_registries(self) -> None:
        """Retry the jobs of killed workers, but not in the first round after a sleep.

        To that round the job of every other worker looks abandoned, until it has spoken again.
        """
        idle = self.dequeue_timeout + self.maintenance_interval
        late = timedelta(seconds=SLEEP_SECONDS + idle)
        if self.last_cleaned_at is not None and now() - self.last_cleaned_at > late:
            self.last_cleaned_at = now()
            return
        super().clean_registries()  # type: ignore[no-untyped-call]

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Start the process of a job, leader of a group of its own."""
        execution = self.execution.id if self.execution else ""
        values = (self.name, str(self.pid), job.id, execution, queue.name)
        environment = os.environ | dict(zip(JOB, values, strict=True))
        environment |= {QUEUE_URL: self.queue_url, LOGGING: json.dumps(self.log_options)}
        command = [sys.executable, "-P", "-m", "backend.launcher.job_process"]
        self._horse_pid = os.posix_spawn(sys.executable, command, environment, setpgroup=0)

    def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
        """Tie the job's process to the worker that started it, then do the job."""
        die_with_parent(self.pid or 0)
        super().main_work_horse(*args, **kwargs)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do a job in a process of its own; count a training, and let the next one follow."""
        request_id.follow_in(job.meta)
        try:
            self._execute(job, queue)
        finally:
            request_id.follow("")

    def _execute(self, job: Job, queue: Queue) -> None:
        try:
            check_allowed(job)
        except ForbiddenJobError as error:
            self._refuse(job, queue, str(error))
            return
        super().execute_job(job, queue)
        line = job.meta.get("line")
        if queue.name == TRAIN and line is not None:
            try:
                note_verdict(self.connection, line, job)
                enqueue_waiting(self.connection, line)
            except (RedisError, OSError) as error:  # the housekeeping does it later
                log.warning("the queue server is away: %s", error)

    def _refuse(self, job: Job, queue: Queue, reason: str) -> None:
        """Let a job fail for good without starting a process for it."""
        log.error("job %s is refused: %s", job.id, reason)
        job.retries_left = 0
        execution = self.prepare_execution(job)
        queue.intermediate_queue.remove(job.id)
        self.handle_job_failure(job, queue, exc_string=reason, execution=execution)
        self.set_state(WorkerStatus.IDLE)
