"""Handles ``/webhook``: takes Label Studio's events, queues them, answers at once.

See docs/label-studio-protocol.md, 7.
"""

from datetime import UTC, datetime
from typing import Any

from flask import g

from backend.errors import BadRequestError, UnauthorizedError
from backend.jobs.job_queue import JobQueue
from backend.settings import Settings
from backend.web.auth import is_authorized

EVENTS = frozenset(
    {
        "ANNOTATION_CREATED",
        "ANNOTATIONS_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATIONS_DELETED",
        "TASKS_DELETED",
        "PROJECT_UPDATED",
        "PROJECT_DELETED",
        "START_TRAINING",
    }
)
"""Events that matter to training; all others are answered and dropped."""


def is_verified(settings: Settings, *, can_ask: bool) -> bool:
    """Whether this webhook proved where it comes from. If not, Label Studio must confirm it.

    Label Studio sends no password with webhooks, except with START_TRAINING. So a backend with a
    password believes one that carries the secret in its address. Any other is believed only as far
    as Label Studio confirms it, which the ingest job finds out.

    Args:
        settings: with the password and the secret, if any.
        can_ask: whether Label Studio can be asked back.

    Raises:
        UnauthorizedError: it proved nothing, and Label Studio cannot be asked.
    """
    guarded = settings.basic_auth_user is not None or settings.webhook_secret is not None
    if not guarded or g.secret is not None:  # a wrong secret does not get this far
        return True
    if settings.basic_auth_user is not None and is_authorized(settings):
        return True
    if can_ask:
        return False
    raise UnauthorizedError(
        "webhooks need the secret in the address (attach http://HOST:PORT/k/SECRET), or "
        "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to ask back"
    )


def receive(body: dict[str, Any], queue: JobQueue, *, verified: bool, source: str) -> bool:
    """Queue an event; return False if it waits on disk because the queue server is away.

    The job gets ``{"body": what Label Studio sent, "verified": bool, "received_at": ISO time,
    "source": name of the Label Studio}``.
    """
    action = body.get("action")
    if not isinstance(action, str):
        raise BadRequestError("the webhook has no action")
    if action not in EVENTS:
        return True
    received = datetime.now(UTC).isoformat()
    event = {"body": body, "verified": verified, "received_at": received}
    return queue.put(event | {"source": source})
