"""Where Label Studio's events keep what."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.ingest.values import Json, is_number, number

ACCEPTED = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")
"""The actions that carry annotations."""


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


def _mapping(values: Json, key: str) -> Json:
    value = values.get(key)
    if not isinstance(value, Mapping):
        raise BadRequestError(f"the event has no {key}")
    return value


def _one_or_many(body: Json, key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else [value]
