"""Jobs that are due by the clock.

Every worker looks, and the first one claims a due job. A key in Redis, set once the job is in the
queue, says that it has been enqueued: if a worker is killed in between, another one takes over.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis import Redis
from rq import Queue, Retry
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from backend.jobs.job_queue import JOB_SECONDS, RETRIES, find_job, ingest_queue

log = logging.getLogger(__name__)

CLAIM_SECONDS = 60
"""How long a claim lasts. Enqueueing takes milliseconds, so an older one is a killed worker's."""

TAKING_SECONDS = 60.0
"""A job enqueued longer ago than this, and in no list, is not about to be started."""

FAILED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class PeriodicJob:
    """A job of the ingest queue that is due once in each stretch of ``seconds``."""

    name: str
    seconds: float


@dataclass(frozen=True)
class DueJob:
    """A job to be enqueued.

    Attributes:
        name: dotted name of the function.
        arguments: its arguments.
        key: key that says that it has been enqueued.
        seconds: how long that key lasts; None: for ever.
    """

    name: str
    arguments: tuple[str, ...]
    key: str
    seconds: float | None


def due_periodic(jobs: Iterable[PeriodicJob], now: float) -> list[DueJob]:
    """Return the periodic jobs of the present stretch of time, enqueued already or not."""
    return [
        DueJob(job.name, (), f"dynamite:due:{job.name}:{int(now // job.seconds)}", 2 * job.seconds)
        for job in jobs
    ]


def enqueue_due(redis: Redis, due: Iterable[DueJob]) -> None:
    """Enqueue the due jobs that no worker has enqueued yet."""
    for job in not_enqueued(redis, due):
        if claim(redis, job):
            log.debug("due: %s%s", job.name, job.arguments)
            put(redis, job.name, job.arguments)
            note_enqueued(redis, job)


def not_enqueued(redis: Redis, due: Iterable[DueJob]) -> list[DueJob]:
    """Return the due jobs that have not been enqueued yet."""
    return [job for job in due if not redis.exists(job.key)]


def claim(redis: Redis, due: DueJob) -> bool:
    """Whether this worker, and no other, may enqueue a due job now."""
    return bool(redis.set(f"{due.key}:claimed", 1, nx=True, ex=CLAIM_SECONDS))


def note_enqueued(redis: Redis, due: DueJob) -> None:
    """Remember that a due job is in the queue."""
    redis.set(due.key, 1, ex=None if due.seconds is None else max(1, round(due.seconds)))


def put(redis: Redis, name: str, arguments: Sequence[object]) -> None:
    """Put a due job into the queue, unless the same one is waiting or running.

    One that takes longer than its period must not pile up, with events waiting behind.
    """
    job_id = "-".join(["due", name.rpartition(".")[2], *map(str, arguments[:1])])
    queue, job = ingest_queue(redis), find_job(redis, job_id)
    if job is not None:
        if is_coming(job):
            return
        job.delete()
    queue.enqueue(
        name,
        *arguments,
        job_id=job_id,
        job_timeout=JOB_SECONDS,
        retry=Retry(max=RETRIES),
        result_ttl=3600,
        failure_ttl=FAILED_SECONDS,
    )


def is_coming(job: Job) -> bool:
    """Whether a job is waiting or running. One lost with a killed worker only says so."""
    if job.get_status() not in (JobStatus.QUEUED, JobStatus.STARTED, JobStatus.SCHEDULED):
        return False
    queue = Queue(job.origin, connection=job.connection, serializer=JSONSerializer)
    started = queue.started_job_registry.get_job_ids(cleanup=False)
    if job.id in (*queue.get_job_ids(), *queue.intermediate_queue.get_job_ids(), *started):
        return True
    since = job.enqueued_at
    return since is not None and (rq_now() - since).total_seconds() < TAKING_SECONDS
