"""Tries events that had to wait again, with each comparison, until they are too old."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from rq.timeouts import JobTimeoutException

from backend import request_id
from backend.errors import BadRequestError
from backend.jobs.job_queue import PATIENCE_SECONDS, requeue_failed
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.event_fields import (
    ACCEPTED,
    action_of,
    annotation_of,
    body_of,
    object_of,
    task_number,
)
from backend.label_studio.ingest.events import SECONDS, process_part
from backend.label_studio.ingest.ingest import Ingest, TryLaterError
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.label_studio.ingest.masks import NO_MASK
from backend.label_studio.ingest.store_annotation import set_aside
from backend.retraining.jobs import REQUEST_JOB
from backend.retraining.status import Backlog, note_backlog
from training.annotation_store import AnnotationStore, ProjectKey, Rejection

log = logging.getLogger(__name__)

MOST_NAMED = 5
"""Tasks with clicks and no mask that the status page names."""


def try_again(ingest: Ingest, clock: Callable[[], float] = time.monotonic) -> str:
    """Try each event that waits, and each job that failed, once more; return how many, in words.

    Events that the time does not suffice for come first the next time.
    """
    until, count = clock() + SECONDS, requeue_failed(ingest.redis, (EVENT_JOB, REQUEST_JOB))
    for event, _ in ingest.bookkeeping.waiting():
        if clock() > until:
            break
        request_id.follow_in(event)
        _try_again(event, ingest)
        count += 1
    request_id.follow("")
    return f"{count} events tried again"


def publish_backlog(store: AnnotationStore, bookkeeping: Bookkeeping, redis: Redis) -> None:
    """Put what waits and what was set aside on the status page, which cannot see the store."""
    tasks = store.rejected_as(NO_MASK)
    backlog = Backlog(
        *bookkeeping.count_waiting(), *store.count_rejected(), len(tasks), named(tasks[:MOST_NAMED])
    )
    note_backlog(redis, backlog)


def named(tasks: Iterable[tuple[ProjectKey, int]]) -> str:
    """Return tasks for people, as in "task 5 of project 3, task 2 of project 3"."""
    return ", ".join(f"task {task} of project {project.number}" for project, task in tasks)


def _try_again(event: dict[str, Any], ingest: Ingest) -> None:
    """Try one event; whatever is wrong with it must not stop the others."""
    try:
        process_part(event, ingest)
    except BadRequestError as error:
        log.warning("an event that waited is refused: %s", error)
    except JobTimeoutException:
        raise
    except Exception as error:
        if not isinstance(error, TryLaterError):
            log.exception("an event that waits cannot be processed")
        if not _is_too_old(event):
            ingest.bookkeeping.wait((event, str(error)))
            return
        log.warning("an event waited too long and is given up: %s", error)
        _give_up(event, str(error), ingest.store, ingest.source)
    ingest.bookkeeping.stop_waiting(event)


def _give_up(event: dict[str, Any], reason: str, store: AnnotationStore, source: str) -> None:
    """Set its annotation aside, if it has one with an id."""
    with suppress(BadRequestError):
        body = body_of(event)
        if action_of(body) in ACCEPTED:
            annotation = annotation_of(body)
            task, project = {"id": task_number(annotation)}, object_of(body, "project")
            rejection = Rejection("given_up", reason)
            set_aside(annotation, task, project, rejection, store, source)


def _is_too_old(event: dict[str, Any]) -> bool:
    oldest = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)
    return str(event.get("received_at")) < oldest.isoformat()
