"""Handles ``/webhook``: takes Label Studio's events, queues them, answers at once.

See docs/label-studio-protocol.md, 7.
"""

from datetime import UTC, datetime
from typing import Any

from backend.errors import BadRequestError, UnauthorizedError
from backend.jobs.job_queue import JobQueue
from backend.label_studio.ingest.event_fields import check_event, claim_of
from backend.settings import Settings
from backend.web.auth import has_proof, is_guarded, is_local

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


MOST_BYTES = 16_000_000
"""Largest event: about a hundred masks of large photographs. Label Studio sends none again; a
comparison brings in what is lost."""


def is_proven(settings: Settings, *, can_ask: bool) -> bool:
    """Return whether this webhook counts as it is, before its body is read.

    Label Studio sends no password with webhooks, except with START_TRAINING. So a backend with a
    password or a secret believes one that carries either. Any other counts only as far as Label
    Studio confirms it, which the ingest job finds out.

    Args:
        settings: with the password and the secret, if any.
        can_ask: whether the settings name a Label Studio that can be asked back. One that was named
            at /setup is asked for callers on this machine only, where neither password nor secret
            is set.

    Raises:
        UnauthorizedError: it proved nothing, and Label Studio cannot be asked.
    """
    if has_proof(settings):
        return True
    if can_ask or (not is_guarded(settings) and is_local()):
        return False
    raise UnauthorizedError(
        "webhooks need the secret in the address (attach http://HOST:PORT/k/SECRET), or "
        "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to ask back"
    )


def receive(body: dict[str, Any], queue: JobQueue, *, proven: bool, source: str) -> bool:
    """Queue an event; return False if it waits on disk because the queue server is away.

    The job gets ``{"body": what Label Studio sent, "verified": bool, "received_at": ISO time,
    "source": name of the Label Studio}``. Of an event that is not proven only the numbers are kept:
    everything else comes from Label Studio.

    Raises:
        BadRequestError: nothing in it could be processed.
        TooManyEventsError: it is not proven, and very many others wait to be confirmed.
    """
    action = body.get("action")
    if not isinstance(action, str):
        raise BadRequestError("the webhook has no action")
    if action not in EVENTS:
        return True
    check_event(body)
    received = datetime.now(UTC).isoformat()
    kept = body if proven else claim_of(body)
    event = {"body": kept, "verified": proven, "received_at": received, "source": source}
    return queue.put(event)
