"""A worker for the queues: JSON only, each job in a fresh process that dies with the worker."""

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SpawnWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.jobs.housekeeping import Housekeeping
from backend.jobs.job_queue import TRAIN
from backend.jobs.rq_repair import repair
from backend.jobs.schedule import due_periodic, enqueue_due
from backend.label_studio.ingest.jobs import periodic_jobs
from backend.retraining.enqueueing import enqueue_all_waiting, enqueue_waiting
from backend.retraining.jobs import PERIODIC
from backend.retraining.schedule import due_trainings
from backend.retraining.training_queue import last_job_ids
from backend.settings import Settings
from dynamite.lifeline import die_with_parent

log = logging.getLogger(__name__)

WORKER_SECONDS, MAINTENANCE_SECONDS, MONITORING_SECONDS = 25, 5, 5
"""With rq's defaults a job whose worker was killed is found only after many minutes."""

NICE = 5
"""Niceness of a worker: where cores are few, the web server, which people wait for, comes first."""

JOB = ("RQ_WORKER_ID", "RQ_JOB_ID", "RQ_EXECUTION_ID", "RQ_JOB_QUEUE")
QUEUE_URL, LOG_LEVEL = "RQ_JOB_QUEUE_URL", "RQ_JOB_LOG_LEVEL"
"""Variables of a job's process: which job it is for, where the queue is, what to log."""


class Worker(SpawnWorker):
    """rq's spawning worker, whose job processes die with it and do not show the queue's password.

    After a training it enqueues the one of the same line that waits.
    """

    queue_url, log_level = "", "info"

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Start the process of a job, leader of a group of its own."""
        values = (self.name, job.id, self.execution.id if self.execution else "", queue.name)
        environment = os.environ | dict(zip(JOB, values, strict=True))
        environment |= {QUEUE_URL: self.queue_url, LOG_LEVEL: self.log_level}
        command = [sys.executable, "-P", "-m", "backend.launcher.job_process"]
        self._horse_pid = os.posix_spawn(sys.executable, command, environment, setpgroup=0)

    def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
        """Tie the job's process to the worker that started it, then do the job."""
        die_with_parent(self.pid or 0)
        super().main_work_horse(*args, **kwargs)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do a job in a process of its own; after a training, let the next of its line follow."""
        super().execute_job(job, queue)
        line = job.meta.get("line")
        if queue.name == TRAIN and line is not None:
            try:
                enqueue_waiting(self.connection, line)
            except (RedisError, OSError) as error:  # the housekeeping does it later
                log.warning("the queue server is away: %s", error)


def work(
    settings: Settings, queues: Sequence[str], *, burst: bool = False, gpus: str | None = None
) -> None:
    """Work until told to stop; with ``burst``, until the queues are empty.

    ``gpus`` are the numbers of the GPUs that its jobs may use; by default none, because the one
    that serves is not trained on.
    """
    os.nice(NICE)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus or ""
    connection = Redis.from_url(settings.queue_url)
    sources = [Queue(name, connection=connection, serializer=JSONSerializer) for name in queues]
    worker = Worker(
        sources,
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
    )
    worker.queue_url, worker.log_level = settings.queue_url, settings.log_level
    with Redis.from_url(settings.queue_url, socket_timeout=10) as redis:
        housekeeping = Housekeeping(chores(settings, redis, queues))
        housekeeping.start()
        try:
            worker.work(burst=burst, logging_level="WARNING")
        finally:
            housekeeping.close()


def chores(
    settings: Settings,
    redis: Redis,
    queues: Sequence[str],
    clock: Callable[[], float] = time.time,
) -> list[Callable[[], None]]:
    """Return what a worker's housekeeping does.

    It repairs the worker's own queues, enqueues trainings whose turn has come, and enqueues what is
    due by the clock.
    """

    def repair_queue(name: str) -> None:
        queue = Queue(name, connection=redis, serializer=JSONSerializer)
        repair(queue, last_job_ids(redis) if name == TRAIN else ())

    def follow_clock() -> None:
        now = clock()
        periodic = due_periodic([*PERIODIC, *periodic_jobs(settings)], now)
        enqueue_due(redis, [*periodic, *due_trainings(redis, settings, now)])

    repairs = [partial(repair_queue, name) for name in queues]
    return [*repairs, partial(enqueue_all_waiting, redis), follow_clock]
