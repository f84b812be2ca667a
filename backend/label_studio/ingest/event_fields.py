"""Where Label Studio's events keep what."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.ingest.values import Json, is_number, number

ACCEPTED = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")
"""The actions that carry annotations."""

DELETED = {"ANNOTATIONS_DELETED": "annotations", "TASKS_DELETED": "tasks"}
"""The actions that carry a list of what is gone, and its name."""


def split_event(event: Json) -> list[dict[str, Any]]:
    """Return one event for each annotation of an event, with its task if that is included."""
    body = body_of(event)
    if action_of(body) not in ACCEPTED:
        return [dict(event)]
    tasks = [task for task in _one_or_many(body, "task") if isinstance(task, Mapping)]
    by_number = {task["id"]: task for task in tasks if is_number(task.get("id"))}
    found = []
    for annotation in _one_or_many(body, "annotation"):
        wanted = _task_of(annotation) if isinstance(annotation, Mapping) else None
        task = by_number.get(wanted) if is_number(wanted) else None
        found.append({**event, "body": {**body, "annotation": annotation, "task": task}})
    return found


def check_event(body: Json) -> None:
    """Check that something of an event could be processed, before it is queued.

    Raises:
        BadRequestError: nothing could be.
    """
    action = action_of(body)
    if action in ACCEPTED:
        project_number(body)
        if not _numbered(body):
            raise BadRequestError("the event has no annotation with an id and a task")
    elif action in DELETED:
        name = DELETED[action]
        for item in list_of(body, name):
            number(item, "id")
    else:
        project_number(body)


def claim_of(body: Json) -> dict[str, Any]:
    """Return the numbers that an event names: what Label Studio must be asked about.

    Nothing else of it counts. So what anybody may send takes little room, and teaches nothing, such
    as when a project was created.

    Raises:
        BadRequestError: as by ``check_event``, which comes first.
    """
    action = action_of(body)
    claim: dict[str, Any] = {"action": action}
    with suppress(BadRequestError):  # some deletions name none
        claim["project"] = {"id": project_number(body)}
    if action in ACCEPTED:
        numbered = _numbered(body)
        claim["annotation"] = [{"id": one["id"], "task": _task_of(one)} for one in numbered]
    elif action in DELETED:
        name = DELETED[action]
        claim[name] = [{"id": number(item, "id")} for item in list_of(body, name)]
    return claim


def body_of(event: Json) -> Json:
    """Return what Label Studio sent.

    Raises:
        BadRequestError: there is none; the functions below raise it likewise.
    """
    return _mapping(event, "body")


def action_of(body: Json) -> str:
    """Return what has happened, as Label Studio calls it."""
    return str(body.get("action"))


def annotation_of(body: Json) -> Json:
    """Return the annotation of an event that holds only one."""
    return _mapping(body, "annotation")


def task_number(annotation: Json) -> int:
    """Return the number of an annotation's task."""
    return number({"task": _task_of(annotation)}, "task")


def project_number(body: Json) -> int:
    """Return the number of the project that an event is about."""
    return number(object_of(body, "project"), "id")


def object_of(body: Json, key: str) -> Json:
    """Return an object of an event; some events hold only its id."""
    value = body.get(key)
    return {"id": value} if is_number(value) else _mapping(body, key)


def described(body: Json, key: str) -> Json:
    """Return an object of an event; empty if the event does not describe it."""
    value = body.get(key)
    return value if isinstance(value, Mapping) else {}


def list_of(body: Json, key: str) -> Sequence[Json]:
    """Return a list of objects."""
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise BadRequestError(f"the event has no list of {key}")
    return value


def _task_of(annotation: Json) -> object:
    """Return its task: a number in events, an object with an id in some answers of the API."""
    task = annotation.get("task")
    return task.get("id") if isinstance(task, Mapping) else task


def _numbered(body: Json) -> list[Json]:
    """Return the annotations of an event that have a number, and whose task has one."""
    return [
        one
        for one in _one_or_many(body, "annotation")
        if isinstance(one, Mapping) and is_number(one.get("id")) and is_number(_task_of(one))
    ]


def _mapping(values: Json, key: str) -> Json:
    value = values.get(key)
    if not isinstance(value, Mapping):
        raise BadRequestError(f"the event has no {key}")
    return value


def _one_or_many(body: Json, key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else [value]
