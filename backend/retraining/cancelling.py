"""A training that nobody wants any more: it is taken out of the queue, or its worker ends it."""

from redis import Redis
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation
from rq.serializers import JSONSerializer

from backend.retraining.training_queue import AHEAD, find_job
from dynamite.errors import DynamiteError


class CancelError(DynamiteError):
    """There is no such training, or it cannot be stopped at the moment."""


def cancel_training(redis: "Redis", job_id: str) -> str:
    """End a training, or see that it does not begin; what came of it, in words.

    Raises:
        CancelError: there is no such training, or it cannot be stopped at the moment.
    """
    job = find_job(redis, job_id)
    if job is None:
        raise CancelError(f"there is no training {job_id!r}: `dynamite jobs` lists them")
    status = job.get_status()
    if status == "started":
        try:
            send_stop_job_command(redis, job_id, serializer=JSONSerializer)
        except InvalidJobOperation:
            raise CancelError(f"{job_id} is just beginning: try again in a moment") from None
        return f"{job_id} is told to stop; asked for again, it goes on from its last checkpoint"
    if status not in AHEAD:
        return f"{job_id} is {status.value} already"
    job.cancel()
    return f"{job_id} is cancelled"
