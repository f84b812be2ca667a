"""The trainings of each line: the one in the queue or running, and the one that waits for it.

Keys of each line: ``dynamite:training:LINE`` holds the id of the job enqueued last,
``dynamite:wanted:LINE`` that of the job that waits.
"""

from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import TRAIN, find_job

WAITING = JobStatus.CREATED
"""Status of a job that is saved but not enqueued."""

CANCELLED = "cancelled"
"""What a training is that a person took out of the queue, or stopped; rq keeps the latter among the
failed ones."""

ACTIVE = (JobStatus.QUEUED, JobStatus.STARTED)


def train_queue(redis: Redis) -> Queue:
    """Return the queue of trainings."""
    return Queue(TRAIN, connection=redis, serializer=JSONSerializer)


def last_job_key(line: str) -> str:
    """Return the key of the job that was enqueued last."""
    return f"dynamite:training:{line}"


def wanted_key(line: str) -> str:
    """Return the key of the job that waits."""
    return f"dynamite:wanted:{line}"


def last_job(redis: Redis, line: str) -> Job | None:
    """Return the training of a line that was enqueued last."""
    return _job_at(redis, last_job_key(line))


def active_job(redis: Redis, line: str) -> Job | None:
    """Return the training of a line that is in the queue or running."""
    job = last_job(redis, line)
    return job if job is not None and status(job) in ACTIVE else None


def waiting_job(redis: Redis, line: str) -> Job | None:
    """Return the training of a line that waits for the active one to end."""
    return _job_at(redis, wanted_key(line))


def waiting_jobs(redis: Redis) -> list[Job]:
    """Return the waiting trainings of all lines."""
    jobs = (_job_at(redis, key) for key in redis.scan_iter(wanted_key("*"), count=1000))
    return [job for job in jobs if job is not None]


def last_job_ids(redis: Redis) -> list[str]:
    """Return the ids of the trainings enqueued last, one of each line."""
    found: Any = [redis.get(key) for key in redis.scan_iter(last_job_key("*"), count=1000)]
    return sorted(job_id.decode() for job_id in found if job_id)


def is_training(redis: Redis, line: str) -> bool:
    """Whether a training of a line is waiting, in the queue or running."""
    return active_job(redis, line) is not None or waiting_job(redis, line) is not None


def status(job: Job) -> JobStatus:
    """Return the status that a job had when it was fetched."""
    found: JobStatus = job.get_status(refresh=False)
    return found


def _job_at(redis: Redis, key: Any) -> Job | None:
    job_id: Any = redis.get(key)
    return find_job(redis, job_id.decode()) if job_id else None
