"""Puts back jobs that rq leaves behind when a worker is killed."""

from collections.abc import Iterable
from contextlib import suppress

from redis.exceptions import LockNotOwnedError, WatchError
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry

from backend.jobs.job_queue import find_job

LOCK_SECONDS = 10

LOST_SECONDS, MARK_SECONDS = 30, 600
"""A job that was taken and is not started within ``LOST_SECONDS`` is lost. It is marked when it is
first seen so; the mark lasts for ``MARK_SECONDS``."""


def repair(queue: Queue, known: Iterable[str] = ()) -> None:
    """Retry abandoned jobs and put lost ones back into the queue.

    One process at a time does, rq's own maintenance included.

    Args:
        queue: The queue to repair.
        known: Ids of jobs that must not be lost. A worker with several queues takes a job into no
            list until it starts it, so only jobs named here can be found missing.
    """
    redis, name = queue.connection, queue.registry_cleaning_key
    lock = redis.lock(name, timeout=LOCK_SECONDS)
    if not lock.acquire(blocking=False):
        if redis.ttl(name) > LOCK_SECONDS:  # rq locks for 15 minutes, and may be killed meanwhile
            redis.expire(name, LOCK_SECONDS)
        return
    try:
        StartedJobRegistry(queue=queue, job_class=queue.job_class).cleanup()
        requeue_lost(queue, known)
    finally:
        with suppress(LockNotOwnedError):  # it took so long that another process has it now
            lock.release()


def requeue_lost(queue: Queue, known: Iterable[str] = ()) -> None:
    """Put back jobs that a worker had taken but not started when it was killed."""
    taken = queue.intermediate_queue
    for job_id in dict.fromkeys([*taken.get_job_ids(), *known]):
        job = find_job(queue.connection, job_id)
        if job is None or job.get_status() != JobStatus.QUEUED:
            taken.remove(job_id)  # it was started after all, deleted or cancelled
        elif _is_missing(queue, job) and _is_lost(queue, job):
            put_back(queue, job)


def put_back(queue: Queue, job: Job) -> None:
    """Put a job back into its queue, unless it waits there or is started. It costs no retry."""
    taken, started = queue.intermediate_queue.key, queue.started_job_registry.key
    with queue.connection.pipeline() as pipeline, suppress(WatchError):
        # Should a worker start it at this moment after all, nothing happens.
        pipeline.watch(queue.key, taken, started)  # type: ignore[no-untyped-call]
        if _is_missing(queue, job):
            pipeline.multi()
            pipeline.lrem(taken, 1, job.id)
            queue.enqueue_job(job, pipeline=pipeline)
            pipeline.execute()


def _is_missing(queue: Queue, job: Job) -> bool:
    """Whether a job is neither waiting in its queue nor started."""
    started = queue.started_job_registry.get_job_ids(cleanup=False)
    return job.id not in started and job.id not in queue.get_job_ids()


def _is_lost(queue: Queue, job: Job) -> bool:
    """Whether a job has been missing for long; marks it when it is first seen so."""
    redis = queue.connection
    mark, attempt = f"dynamite:lost:{queue.name}:{job.id}", str(job.enqueued_at)
    if redis.get(mark) != attempt.encode():
        redis.set(mark, attempt, ex=MARK_SECONDS)
        return False
    return int(redis.ttl(mark)) <= MARK_SECONDS - LOST_SECONDS
