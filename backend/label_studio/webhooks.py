"""Handles ``/webhook``: takes Label Studio's events, queues them, answers at once.

See docs/label-studio-protocol.md, 7.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from backend.errors import BadRequestError, UnauthorizedError
from backend.jobs.job_queue import JobQueue
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

DELETIONS = frozenset({"ANNOTATIONS_DELETED", "TASKS_DELETED", "PROJECT_DELETED"})


class Proof(Enum):
    """What a webhook proves of where it comes from."""

    GIVEN = "the password or the secret"
    LOCAL = "nothing: neither is configured, but it comes from this machine"
    ASK_BACK = "nothing: Label Studio must confirm it"

    def verifies(self, action: str) -> bool:
        """Whether an event counts without being confirmed by Label Studio.

        Where nothing is configured, Label Studio cannot prove itself; what it says is believed,
        except deletions, which cannot be undone.
        """
        return self is Proof.GIVEN or (self is Proof.LOCAL and action not in DELETIONS)


def proof_of(settings: Settings, *, can_ask: bool) -> Proof:
    """Return what this webhook proves, before its body is read.

    Label Studio sends no password with webhooks, except with START_TRAINING. So a backend with a
    password or a secret believes one that carries either. Any other is believed only as far as
    Label Studio confirms it, which the ingest job finds out. A backend with neither must believe
    callers on this machine.

    Args:
        settings: with the password and the secret, if any.
        can_ask: whether Label Studio can be asked back.

    Raises:
        UnauthorizedError: it proved nothing, and Label Studio cannot be asked.
    """
    if has_proof(settings):
        return Proof.GIVEN
    if not is_guarded(settings) and is_local():
        return Proof.LOCAL
    if can_ask:
        return Proof.ASK_BACK
    raise UnauthorizedError(
        "webhooks need the secret in the address (attach http://HOST:PORT/k/SECRET), or "
        "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to ask back"
    )


def receive(body: dict[str, Any], queue: JobQueue, *, proof: Proof, source: str) -> bool:
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
    event = {"body": body, "verified": proof.verifies(action), "received_at": received}
    return queue.put(event | {"source": source})
