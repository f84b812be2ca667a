"""Cancels trainings: out of the queue, or by the worker that runs them."""

from redis import Redis
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import find_job
from backend.retraining.enqueueing import cancel_waiting, enqueue_waiting
from backend.retraining.status import describe
from backend.retraining.training_queue import WAITING, status
from dynamite.errors import DynamiteError


class CancelError(DynamiteError):
    """There is no such training, or it cannot be stopped at the moment."""


def cancel_training(redis: Redis, job_id: str) -> str:
    """Cancel a training, whether it waits or runs; return what came of it, in words.

    Raises:
        CancelError: there is no such training, or it cannot be stopped at the moment.
    """
    job = find_job(redis, job_id)
    if job is None:
        raise CancelError(f"there is no training {job_id!r}: `dynamite jobs` lists them")
    found = status(job)
    if found == JobStatus.STARTED:
        try:
            send_stop_job_command(redis, job_id, serializer=JSONSerializer)
        except InvalidJobOperation:
            raise CancelError(f"{job_id} is just starting: try again in a moment") from None
        return (
            f"{job_id} is told to stop; if requested again, it continues from its last checkpoint"
        )
    if found == WAITING:
        if not cancel_waiting(redis, job):
            raise CancelError(f"{job_id} is just being queued: try again in a moment")
    elif found == JobStatus.QUEUED:
        job.cancel()
        enqueue_waiting(redis, job.meta.get("line", ""))
    else:
        return f"{job_id} is {describe(job).status} already"
    return f"{job_id} is cancelled"
