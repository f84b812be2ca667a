"""Jobs that rq leaves where they are: abandoned, lost on their way, waiting for what never ends."""

from contextlib import suppress

from redis.exceptions import LockNotOwnedError, WatchError
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry

from backend.retraining.requests import find_job, free_waiting

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
        mark, attempt = f"dynamite:lost:{queue.name}:{job_id}", str(job.enqueued_at)
        if redis.get(mark) != attempt.encode():
            redis.set(mark, attempt, ex=MARK_SECONDS)  # it may just be on its way
        elif redis.ttl(mark) <= MARK_SECONDS - LOST_SECONDS:
            _put_back(queue, job)


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
