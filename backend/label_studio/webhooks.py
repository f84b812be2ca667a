"""Label Studio's events: taken, handed to the queue, answered at once."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import g

from backend.errors import BadRequestError, UnauthorizedError
from backend.settings import Settings
from backend.web.auth import is_authorized

if TYPE_CHECKING:
    from backend.web.services import Services

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
"""Events that mean something to training; the others are answered and forgotten."""


def is_verified(settings: Settings, services: "Services") -> bool:
    """Whether this webhook proved where it comes from; decides if Label Studio must be asked.

    Label Studio sends no password with webhooks (only with START_TRAINING). So a backend with a
    password takes one that carries the secret in its address; one without either is believed only
    as far as Label Studio confirms it, which the ingest job finds out.

    Raises:
        UnauthorizedError: it proved nothing, and there is no Label Studio to ask.
    """
    guarded = settings.basic_auth_user is not None or settings.webhook_secret is not None
    if not guarded or g.secret is not None:  # a wrong one does not get this far
        return True
    if settings.basic_auth_user is not None and is_authorized(settings):
        return True
    if services.can_ask_label_studio:
        return False
    raise UnauthorizedError(
        "webhooks need the secret in the address (attach http://HOST:PORT/k/SECRET), or "
        "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to ask back"
    )


def receive(body: dict[str, Any], services: "Services", verified: bool) -> bool:
    """Hand an event to the queue; false if it waits on disk because the queue is away.

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
    return services.queue.put(event | {"source": services.label_studio_name})
