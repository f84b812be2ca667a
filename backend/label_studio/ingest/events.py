"""Processes Label Studio's events: verified ones as they are, others after asking Label Studio."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.ingest.asking import api_of, ask
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.deletion import delete_annotations, delete_project, delete_tasks
from backend.label_studio.ingest.event_fields import (
    ACCEPTED,
    DELETED,
    action_of,
    annotation_of,
    body_of,
    described,
    list_of,
    object_of,
    project_number,
    split_event,
    task_number,
)
from backend.label_studio.ingest.ingest import Ingest, TryLaterError
from backend.label_studio.ingest.server_identity import check_project
from backend.label_studio.ingest.store_annotation import store_annotation
from backend.label_studio.ingest.values import Json, number
from backend.retraining.requesting import (
    TooFewHeldOutError,
    request_if_enough,
    request_training,
)
from backend.retraining.status import note_asked
from dynamite.errors import DynamiteError
from training.annotation_store import AnnotationStore, ProjectKey

SECONDS = 600.0
"""How long one event may take; the annotations left then must wait. Dead hosts take long."""

DELETE: Mapping[str, Callable[[Iterable[int], AnnotationStore, Bookkeeping], int]] = {
    "annotations": delete_annotations,
    "tasks": delete_tasks,
}
"""How what is gone is deleted."""


NO_PROOF = (
    "no training is requested: the button does not prove that Label Studio pressed it, and too few "
    "annotations are new. Set a password or DYNAMITE_WEBHOOK_SECRET, or run `dynamite retrain`"
)

MOST_WAITING = 10_000
"""Most events that may wait, for those that Label Studio must confirm."""


class WrongSourceError(DynamiteError):
    """The event comes from a Label Studio that another worker serves."""


def process_event(event: object, ingest: Ingest) -> str:
    """Process an event; return what was done, in words.

    Each of its annotations is processed by itself: one that must wait is kept as an event of its
    own.

    Raises:
        BadRequestError: something is malformed; everything else has been processed.
        WrongSourceError: it comes from a Label Studio that another worker serves.
    """
    if not isinstance(event, Mapping):
        raise BadRequestError(f"the event is of type {type(event).__name__}, not an object")
    source = event.get("source", ingest.source)
    if not isinstance(source, str):
        raise BadRequestError("the event's source is no text")
    if source != ingest.source:
        raise WrongSourceError(
            f"the event comes from the Label Studio {source!r}, this worker serves "
            f"{ingest.source!r}: give each Label Studio a queue server of its own (REDIS_URL)"
        )
    until, words, wrong = time.monotonic() + SECONDS, [], []
    waiting: list[tuple[dict[str, Any], str]] = []
    for part in split_event(event):
        try:
            if time.monotonic() > until:
                raise TryLaterError("the others of its event took too long")
            words.append(process_part(part, ingest))
        except TryLaterError as error:
            if not part.get("verified") and not has_room(waiting, ingest.bookkeeping):
                words.append("dropped: too many events wait; a comparison brings it in")
                continue
            waiting.append((part, str(error)))
            words.append(f"waits: {error}")
        except BadRequestError as error:
            wrong.append(str(error))
    if waiting:  # what ends the process before this has the whole event processed again
        ingest.bookkeeping.wait(*waiting)
    body = body_of(event)
    if action_of(body) in ACCEPTED:
        project = ProjectKey(ingest.source, project_number(body))
        words.append(request_if_enough(ingest.settings, ingest.store, ingest.redis, project))
    if wrong:
        raise BadRequestError("; ".join(wrong))
    return f"{action_of(body)}: " + "; ".join(word for word in words if word)


def process_part(event: Json, ingest: Ingest) -> str:
    """Process an event with one annotation at most; return what was done, in words.

    Raises:
        BadRequestError: it is malformed.
        TryLaterError: something is out of reach that may come back.
    """
    body, verified = body_of(event), bool(event.get("verified"))
    action = action_of(body)
    if action == "START_TRAINING":
        project = ProjectKey(ingest.source, project_number(body))
        line = ingest.settings.line_of(project)
        reason = f"the Start Training button of project {project.number}"
        parts = ingest.settings, ingest.store, ingest.redis
        if not verified:  # no more than what an accepted annotation may start
            words = request_if_enough(*parts, project) or NO_PROOF
            note_asked(ingest.redis, line, reason, words)
            return words
        try:
            return request_training(*parts, line, reason, only_publishable=True)
        except TooFewHeldOutError as error:
            return str(error)
    if action in ACCEPTED:
        annotation = annotation_of(body)
        try:
            return _accept(annotation, body, ingest, verified=verified)
        except BadRequestError as error:
            raise BadRequestError(f"annotation {annotation.get('id')}: {error}") from None
    return _delete(action, body, ingest, verified=verified)


def has_room(waiting: Sequence[object], bookkeeping: Bookkeeping) -> bool:
    """Return whether another event that Label Studio must confirm may wait."""
    count, _ = bookkeeping.count_waiting()
    return count + len(waiting) < MOST_WAITING


def _delete(action: str, body: Json, ingest: Ingest, *, verified: bool) -> str:
    if action != "PROJECT_DELETED" and action not in DELETED:
        return "nothing to do"
    check_project(described(body, "project"), ingest.bookkeeping)
    if action == "PROJECT_DELETED":
        project = project_number(body)
        if not (verified or ask(ingest, f"/api/projects/{project}") is None):
            return "not confirmed by Label Studio"
        count = delete_project(project, ingest.store, ingest.bookkeeping)
        return f"{count} annotations deleted"
    name = DELETED[action]
    ids = [number(item, "id") for item in list_of(body, name)]
    gone = ids if verified else [i for i in ids if ask(ingest, f"/api/{name}/{i}") is None]
    count = DELETE[name](gone, ingest.store, ingest.bookkeeping)
    return f"{count} annotations deleted"


def _accept(annotation: Json, body: Json, ingest: Ingest, *, verified: bool) -> str:
    if verified:
        task = body.get("task")
        if not isinstance(task, Mapping):
            raise BadRequestError(f"the event lacks its task, {task_number(annotation)}")
        project = object_of(body, "project")
        check_project(project, ingest.bookkeeping)
        return str(store_annotation(annotation, task, project, ingest, asked=False))
    found = ask(ingest, f"/api/annotations/{number(annotation, 'id')}")
    if found is None:
        return "Label Studio has no such annotation"
    task = ask(ingest, f"/api/tasks/{task_number(found)}")
    if task is None:
        return "Label Studio has no such task"
    project = ask(ingest, f"/api/projects/{number(task, 'project')}")
    if project is None:
        return "Label Studio has no such project"
    check_project(project, ingest.bookkeeping, seen_at=api_of(ingest).url)
    return str(store_annotation(found, task, project, ingest, asked=True))
