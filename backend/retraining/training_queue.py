"""Whose turn it is: trainings of a line go one after the other, those of two lines side by side."""

from functools import partial
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now

from backend.jobs.job_queue import TRAIN

AHEAD = ("queued", "started", "deferred", "scheduled", "ready_to_enqueue")
"""How a job stands that goes on or is still to come."""

LOST_END_SECONDS = 60
"""So long after the end of a job what waits for it would have been set going."""


def last_job_key(line: str) -> str:
    """Where the id of a line's last training is."""
    return f"dynamite:training:{line}"


def trainings(queue: Queue) -> list[Job]:
    """Those that are the last of their line, or that others wait for; none of another queue."""
    redis = queue.connection
    if queue.name != TRAIN:
        return []
    last: Any = [redis.get(key) for key in redis.scan_iter(last_job_key("*"), count=1000)]
    ids = {raw.decode() for raw in last if raw}
    for job in map(partial(find_job, redis), waiting(queue)):
        ids.update(job.dependency_ids if job else ())
    return [job for job in map(partial(find_job, redis), sorted(ids)) if job is not None]


def train_queue(redis: "Redis") -> Queue:
    """The queue of trainings."""
    return Queue(TRAIN, connection=redis, serializer=JSONSerializer)


def find_job(redis: "Redis", job_id: str) -> Job | None:
    """A job by its id, None if it is forgotten."""
    try:
        return Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    except NoSuchJobError:
        return None


def last_job(redis: "Redis", line: str) -> Job | None:
    """The last training of a line that was asked for."""
    raw: Any = redis.get(last_job_key(line))
    return find_job(redis, raw.decode()) if raw else None


def jobs_ahead(redis: "Redis", line: str) -> list[Job]:
    """The trainings of a line that go on or wait for their turn, in the order they were asked for.

    One that its worker had taken and not begun is in no list; it is known if it is the last.
    """
    queue, last = train_queue(redis), last_job(redis, line)
    jobs = [last, *(find_job(redis, one) for one in [*begun(queue), *waiting(queue)])]
    found = {job.id: job for job in jobs if job is not None and job.meta.get("line") == line}
    ahead = [job for job in found.values() if job.get_status() in AHEAD]
    return sorted(ahead, key=lambda job: job.created_at)


def begun(queue: Queue) -> list[str]:
    """The ids of the jobs that go on, or will as soon as there is a worker."""
    started = queue.started_job_registry.get_job_ids(cleanup=False)
    return [*queue.get_job_ids(), *queue.intermediate_queue.get_job_ids(), *started]


def waiting(queue: Queue) -> list[str]:
    """The ids of the jobs that wait for others."""
    found: list[str] = queue.deferred_job_registry.get_job_ids(cleanup=False)
    return found


def is_training(redis: "Redis", line: str) -> bool:
    """Whether a training of a line is going on or waits for its turn."""
    return bool(jobs_ahead(redis, line))


def free_waiting(queue: Queue) -> None:
    """Jobs wait no longer for one that was cancelled, stopped or deleted, or whose end was lost.

    But one at a time: while another of its line goes on, a job still waits.

    Raises:
        WatchError: somebody else changed what waits at this moment.
    """
    redis, key = queue.connection, queue.deferred_job_registry.key
    for job_id in waiting(queue):
        with redis.pipeline() as pipeline:
            pipeline.watch(key)  # type: ignore[no-untyped-call]
            job = find_job(redis, job_id)
            if job is None or pipeline.zscore(key, job_id) is None:
                continue
            others = [find_job(redis, one) for one in begun(queue)]
            lines = {other.meta.get("line") for other in others if other is not None}
            if job.meta.get("line") in lines:
                continue
            if all(_is_over(find_job(redis, other)) for other in job.dependency_ids):
                pipeline.multi()
                queue._enqueue_job(job, pipeline=pipeline)  # out of one list and into the other
                pipeline.execute()


def _is_over(job: Job | None) -> bool:
    """Whether rq will not set going what waits for this job.

    Where one ends it does, unless its worker is killed at that very moment.
    """
    if job is None:
        return True
    status = job.get_status()
    if status in (JobStatus.FAILED, JobStatus.FINISHED):
        ended = job.ended_at
        return ended is None or (now() - ended).total_seconds() > LOST_END_SECONDS
    return status in (JobStatus.CANCELED, JobStatus.STOPPED)
