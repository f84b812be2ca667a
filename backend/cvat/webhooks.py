"""Takes CVAT's webhooks: each is only a hint, so the worker asks CVAT what is true.

CVAT signs the raw body where a secret is set. It sends nothing to tell a repeated webhook from a
new one, and a repeated question does no harm.
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from backend.cvat.accepted import is_accepted, is_rejected
from backend.cvat.interactor_request import read_project
from backend.errors import BadRequestError, UnauthorizedError
from backend.jobs.job_queue import JobQueue
from backend.settings import Settings

MOST_BYTES = 1_000_000
"""Largest webhook; it describes a job, without annotations."""

DELETIONS = {"delete:job": "job", "delete:task": "task", "delete:project": "project"}

SIGNATURE = "sha256="

Prepare = Callable[[int, int, int, int | None], object]
"""Has a new job's frames encoded: its number, first and last frame, and its project, if any."""


class Webhooks:
    """Queues what a worker must look into, and has new jobs prepared."""

    def __init__(
        self,
        settings: Settings,
        queue: JobQueue,
        prepare: Callable[[int, int, int, int | None], object],
    ) -> None:
        """``prepare`` has a new job's frames encoded: its number, first and last frame, project."""
        self._settings = settings
        self._queue = queue
        self._prepare = prepare

    def check(self, raw: bytes, signature: str) -> None:
        """Check the signature of a body, where a secret is set.

        Raises:
            UnauthorizedError: it is missing or wrong.
        """
        secret = self._settings.cvat_webhook_secret
        if secret is None:
            return
        made = hmac.new(secret.get_secret_value().encode(), raw, sha256).hexdigest()
        if not hmac.compare_digest(signature.encode(), f"{SIGNATURE}{made}".encode()):
            raise UnauthorizedError(
                "the webhook's signature is missing or wrong: give the webhook in CVAT the secret "
                "of DYNAMITE_CVAT_WEBHOOK_SECRET"
            )

    def receive(self, body: Mapping[str, Any]) -> str:
        """Take an event; return what becomes of it, in words.

        The job gets ``{"kind": "job", "task" or "project", "number": its number, "received_at": ISO
        time, "source": name of the CVAT}``.

        Raises:
            BadRequestError: it names no event, or not what it is about.
        """
        event = body.get("event")
        if not isinstance(event, str):
            raise BadRequestError("the webhook has no event")
        if event in DELETIONS:
            kind = DELETIONS[event]
            return self._put(kind, _number(body, kind))
        if event == "create:job":
            job = _object(body, "job")
            number, project = _number(body, "job"), read_project(job.get("project_id"))
            self._prepare(number, _frame(job, "start"), _frame(job, "stop"), project)
            return "its frames are prepared"
        if event == "update:job":
            job, before = _object(body, "job"), body.get("before_update")
            has_moved = isinstance(before, Mapping) and not {"state", "stage"}.isdisjoint(before)
            if is_accepted(job, self._settings.cvat_accepted) or is_rejected(job) or has_moved:
                return self._put("job", _number(body, "job"))
        return "nothing to do"

    def _put(self, kind: str, number: int) -> str:
        is_queued = self._queue.put(
            {
                "kind": kind,
                "number": number,
                "received_at": datetime.now(UTC).isoformat(),
                "source": self._settings.cvat_name,
            }
        )
        return "enqueued" if is_queued else "kept until the queue is back"


def _object(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    if not isinstance(value, Mapping):
        raise BadRequestError(f"the webhook has no {key}")
    return value


def _number(body: Mapping[str, Any], key: str) -> int:
    return _whole(_object(body, key).get("id"), f"the id of its {key}")


def _frame(job: Mapping[str, Any], which: str) -> int:
    return _whole(job.get(f"{which}_frame"), f"the {which} frame of its job")


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise BadRequestError(f"{name} is {str(value)[:40]!r}, not a number")
    return value
