"""Jobs that rq leaves where they are: abandoned, lost on their way, waiting for what never ends."""

from contextlib import suppress

from redis.exceptions import LockNotOwnedError, WatchError
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry

from backend.retraining.training_queue import begun, find_job, free_waiting, trainings

LOCK_SECONDS = 10

LOST_SECONDS, MARK_SECONDS = 30, 600
"""A job that is on its way for so long is lost; it is marked when it is first seen there."""


def mend(queue: Queue) -> None:
    """Set them going again; one process at a time does, rq's own maintenance included."""
    redis, name = queue.connection, queue.registry_cleaning_key
    lock = redis.lock(name, timeout=LOCK_SECONDS)
    if not lock.acquire(blocking=False):
        if redis.ttl(name) > LOCK_SECONDS:  # rq takes it for 15 minutes, and may be killed
            redis.expire(name, LOCK_SECONDS)
        return
    try:
        StartedJobRegistry(queue=queue).cleanup()
        requeue_lost(queue)
        requeue_vanished(queue)
        with suppress(WatchError):  # the queue has just changed; there is a next time
            free_waiting(queue)
    finally:
        with suppress(LockNotOwnedError):  # it took so long that another has it now
            lock.release()


def requeue_lost(queue: Queue) -> None:
    """Jobs that a worker had taken but not begun when it was killed go back into the queue."""
    redis = queue.connection
    for job_id in queue.intermediate_queue.get_job_ids():
        if job_id in queue.started_job_registry:
            continue
        job = find_job(redis, job_id)
        if job is None:
            queue.intermediate_queue.remove(job_id)
            continue
        if _is_lost(queue, job):
            _put_back(queue, job)


def requeue_vanished(queue: Queue) -> None:
    """The same of a worker with several queues: what it takes is in no list until it is begun.

    Of trainings alone: they are known by other ways, and nothing else would bring them back.
    """
    known = set(begun(queue))
    for job in trainings(queue):
        gone = job.id not in known and job.get_status() == JobStatus.QUEUED
        if gone and _is_lost(queue, job, "vanished"):
            queue._enqueue_job(job)


def _is_lost(queue: Queue, job: Job, how: str = "lost") -> bool:
    """Whether it has been on its way for long; at first sight it is marked."""
    redis = queue.connection
    mark, attempt = f"dynamite:{how}:{queue.name}:{job.id}", str(job.enqueued_at)
    if redis.get(mark) != attempt.encode():
        redis.set(mark, attempt, ex=MARK_SECONDS)
        return False
    return int(redis.ttl(mark)) <= MARK_SECONDS - LOST_SECONDS


def _put_back(queue: Queue, job: Job) -> None:
    taken = queue.intermediate_queue.key
    with queue.connection.pipeline() as pipeline, suppress(WatchError):
        # Should its worker begin it after all, nothing happens.
        pipeline.watch(taken)  # type: ignore[no-untyped-call]
        if job.id.encode() in pipeline.lrange(taken, 0, -1):
            pipeline.multi()
            pipeline.lrem(taken, 1, job.id)
            queue._enqueue_job(job, pipeline=pipeline)
            pipeline.execute()
