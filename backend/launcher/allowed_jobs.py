"""The functions that workers call. Whoever can write to the queue server must not choose others."""

from typing import Any

from rq.exceptions import DeserializationError
from rq.job import Job

from backend.collectors import JOBS
from backend.memory.asking import MEMORY_JOB
from backend.proposals.asking import DESCRIBE_JOB
from backend.retraining.enqueueing import TRAIN_JOB
from backend.retraining.jobs import CLEAN_JOB, REQUEST_JOB
from dynamite.errors import DynamiteError

ALLOWED = JOBS | {REQUEST_JOB, CLEAN_JOB, TRAIN_JOB, MEMORY_JOB, DESCRIBE_JOB}


class ForbiddenJobError(DynamiteError):
    """A job names a function that workers do not call."""


def check_allowed(job: Job) -> None:
    """Check that a job names one of the allowed functions.

    Raises:
        ForbiddenJobError: It names another one, or cannot be read.
    """
    try:
        name, instance = job.func_name, job.instance
    except DeserializationError:
        raise ForbiddenJobError("it cannot be read: it was not enqueued by this backend") from None
    if instance is not None or not isinstance(name, str) or name not in ALLOWED:
        raise ForbiddenJobError(
            f"it calls {str(name)[:200]!r}, but workers call only {', '.join(sorted(ALLOWED))}: "
            "find out who else writes to the queue server"
        )


class AllowedJob(Job):
    """rq's job that calls an allowed function, and no callback or webhook."""

    @property
    def func(self) -> Any:
        """The function.

        Raises:
            ForbiddenJobError: It is not allowed.
        """
        check_allowed(self)
        return super().func

    @property
    def success_callback(self) -> None:
        """None."""

    @property
    def failure_callback(self) -> None:
        """None."""

    @property
    def stopped_callback(self) -> None:
        """None."""

    def send_webhooks(self, *_: object, **__: object) -> None:
        """Send none."""
