"""Events that had to wait: tried again with each comparison, but not for ever."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from rq.timeouts import JobTimeoutException

from backend.errors import BadRequestError
from backend.jobs.job_queue import PATIENCE_SECONDS, requeue_failed
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.errors import TryLaterError
from backend.label_studio.ingest.event_fields import (
    ACCEPTED,
    action_of,
    annotation_of,
    apart,
    body_of,
    object_of,
    task_number,
)
from backend.label_studio.ingest.events import SECONDS, act
from backend.label_studio.ingest.jobs import EVENT_JOB
from backend.label_studio.ingest.store_annotation import set_aside
from backend.retraining.jobs import REQUEST_JOB
from backend.retraining.status import Backlog, note_backlog
from training.annotation_store import Rejection

log = logging.getLogger(__name__)


def try_again(context: Context, clock: Callable[[], float] = time.monotonic) -> str:
    """Another attempt for each event that waits, and for each whose job failed; how many.

    Those that it takes too long to come to are the first the next time.
    """
    until, count = clock() + SECONDS, requeue_failed(context.redis, (EVENT_JOB, REQUEST_JOB))
    for event, _ in context.store.waiting():
        if clock() > until:
            break
        _try_again(event, context)
        count += 1
    return f"{count} events tried again"


def tell_backlog(context: Context) -> None:
    """Have the status page say what waits and what was set aside: nothing else there would."""
    store = context.store
    note_backlog(context.redis, Backlog(*store.count_waiting(), *store.count_rejected()))


def _try_again(event: dict[str, Any], context: Context) -> None:
    """One event; whatever is wrong with it must not stop the others.

    One that an earlier release kept with many annotations becomes one of each, tried the next time.
    """
    try:
        parts = apart(event)
        if parts == [event]:
            act(event, context)
        else:
            for part in parts:
                context.store.wait(part, "it came as one of many")
    except BadRequestError as error:
        log.warning("an event that waited is refused: %s", error)
    except JobTimeoutException:
        raise
    except Exception as error:
        if not isinstance(error, TryLaterError):
            log.exception("an event that waits cannot be dealt with")
        if not _is_late(event):
            context.store.wait(event, str(error))
            return
        log.warning("an event waited too long and is given up: %s", error)
        _give_up(event, str(error), context)
    context.store.stop_waiting(event)


def _give_up(event: dict[str, Any], reason: str, context: Context) -> None:
    """List its annotation, if it has one that can be named."""
    with suppress(BadRequestError):
        body = body_of(event)
        if action_of(body) in ACCEPTED:
            annotation = annotation_of(body)
            task, project = {"id": task_number(annotation)}, object_of(body, "project")
            set_aside(annotation, task, project, Rejection("given_up", reason), context)


def _is_late(event: dict[str, Any]) -> bool:
    oldest = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)
    return str(event.get("received_at")) < oldest.isoformat()
