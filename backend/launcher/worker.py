"""A worker for the queues at work, with its housekeeping."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from backend.collectors import periodic_jobs
from backend.jobs.housekeeping import Housekeeping
from backend.jobs.job_queue import INGEST, MEMORY, TRAIN
from backend.jobs.rq_repair import repair
from backend.jobs.schedule import due_periodic, enqueue_due
from backend.launcher.allowed_jobs import AllowedJob
from backend.launcher.private_files import OTHERS
from backend.launcher.rq_worker import MONITORING_SECONDS, Worker, threads_without_signals
from backend.memory.asking import Asking
from backend.proposals.asking import Asking as AskingForDescriptions
from backend.retraining.enqueueing import enqueue_all_waiting
from backend.retraining.jobs import PERIODIC
from backend.retraining.schedule import due_trainings
from backend.retraining.training_queue import last_job_ids
from backend.settings import Settings
from backend.settings.log_options import log_options

WORKER_SECONDS, MAINTENANCE_SECONDS = 25, 5
"""With rq's defaults a job whose worker was killed is found only after many minutes."""

NICE = 5
"""Niceness of a worker: where cores are few, the web server, which people wait for, comes first."""


def work(
    settings: Settings, queues: Sequence[str], *, burst: bool = False, gpus: str | None = None
) -> None:
    """Work until told to stop; with ``burst``, until the queues are empty.

    ``gpus`` are the numbers of the GPUs that its jobs may use; by default none, because the one
    that serves is not trained on.
    """
    os.nice(NICE)
    os.umask(OTHERS)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus or ""
    connection = Redis.from_url(settings.queue_url)
    sources = [allowed_queue(name, connection) for name in queues]
    worker = Worker(
        sources,
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
    )
    worker.queue_url, worker.log_options = settings.queue_url, log_options(settings)
    with Redis.from_url(settings.queue_url, socket_timeout=10) as redis:
        housekeeping = Housekeeping(chores(settings, redis, queues))
        with threads_without_signals():
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
    due by the clock. A worker of the memory queue asks for the memories that are due, one of the
    ingest queue for the descriptions of projects.
    """

    def repair_queue(name: str) -> None:
        repair(allowed_queue(name, redis), last_job_ids(redis) if name == TRAIN else ())

    def follow_clock() -> None:
        now = clock()
        periodic = due_periodic([*PERIODIC, *periodic_jobs(settings)], now)
        enqueue_due(redis, [*periodic, *due_trainings(redis, settings, now)])

    repairs = [partial(repair_queue, name) for name in queues]
    asking: list[Callable[[], None]] = []
    if MEMORY in queues and settings.memory:
        asking.append(Asking(settings, redis))
    if INGEST in queues and settings.describes:
        asking.append(AskingForDescriptions(settings, redis))
    return [*repairs, partial(enqueue_all_waiting, redis), follow_clock, *asking]


def allowed_queue(name: str, redis: Redis) -> Queue:
    """Return a queue whose jobs call allowed functions only."""
    return Queue(name, redis, job_class=AllowedJob, serializer=JSONSerializer)
