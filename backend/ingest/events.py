"""Label Studio's events, one at a time: believed if verified, else asked about."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import BadRequestError
from backend.ingest.accepting import TryLaterError, accept, is_number, number
from backend.ingest.context import Context
from backend.ingest.deciding import request, request_if_enough
from backend.label_studio.api import ApiError, LabelStudioApi

NOT_FOUND = 404

Json = Mapping[str, Any]


def take(event: Json, context: Context) -> str:
    """Deal with one event; what was done, in words. An event that must wait is kept in the store.

    Raises:
        BadRequestError: it is not shaped as Label Studio's are.
    """
    try:
        return act(event, context)
    except TryLaterError as error:
        context.store.wait(dict(event), str(error))
        return f"waits: {error}"


def act(event: Json, context: Context) -> str:
    """What ``take`` does, but what must wait is the caller's to keep.

    Raises:
        TryLaterError: something is away that may come back.
    """
    body = event.get("body")
    if not isinstance(body, Mapping):
        raise BadRequestError("the event has no body")
    action = str(body.get("action"))
    return f"{action}: {_act(action, body, context, verified=bool(event.get('verified')))}"


def _act(action: str, body: Json, context: Context, *, verified: bool) -> str:
    if action == "START_TRAINING":
        if not verified:  # Label Studio sends the password with this one
            return "it does not prove that it comes from Label Studio"
        number_of_it = number(_object(body, "project"), "id")
        line = context.settings.line_of(number_of_it)
        return request(context, line, f"the Start Training button of project {number_of_it}")
    if action in ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"):
        return _accept_all(body, context, verified=verified)
    return _forget(action, body, context, verified=verified)


def _forget(action: str, body: Json, context: Context, *, verified: bool) -> str:
    if action == "PROJECT_DELETED":
        project = number(_object(body, "project"), "id")
        if verified or _is_gone(f"/api/projects/{project}", context):
            return f"{context.store.delete_project(project)} annotations forgotten"
        return "not confirmed by Label Studio"
    kinds = {
        "ANNOTATIONS_DELETED": ("annotations", context.store.delete),
        "TASKS_DELETED": ("tasks", context.store.delete_task),
    }
    if action not in kinds:
        return "nothing to do"
    name, forget = kinds[action]
    ids = [number(item, "id") for item in _list(body, name)]
    gone = ids if verified else [i for i in ids if _is_gone(f"/api/{name}/{i}", context)]
    return f"{sum(map(forget, gone))} annotations forgotten"


def _accept_all(body: Json, context: Context, *, verified: bool) -> str:
    """Accept all that can be used before saying what is wrong with the others."""
    project, tasks = _object(body, "project"), _tasks(body)
    words, wrong = [], []
    for annotation in _one_or_many(body, "annotation"):
        if not isinstance(annotation, Mapping):
            wrong.append("the event has no annotation")
            continue
        try:
            task = _task_of(annotation, tasks)
            words.append(_accept_one(annotation, task, project, context, verified=verified))
        except BadRequestError as error:
            wrong.append(f"annotation {annotation.get('id')}: {error}")
    words.append(request_if_enough(context, number(project, "id")))
    if wrong:
        raise BadRequestError("; ".join(wrong))
    return "; ".join(word for word in words if word)


def _accept_one(
    annotation: Json, task: Json, project: Json, context: Context, *, verified: bool
) -> str:
    if verified:
        return str(accept(annotation, task, project, context, asked=False))
    annotation_id = number(annotation, "id")
    told = ask(api_of(context), f"/api/annotations/{annotation_id}")
    if told is None:
        return "Label Studio has no such annotation"
    real_task = ask(api_of(context), f"/api/tasks/{_task_number(told)}")
    if real_task is None:
        return "Label Studio has no such task"
    real_project = ask(api_of(context), f"/api/projects/{number(real_task, 'project')}")
    if real_project is None:
        return "Label Studio has no such project"
    return str(accept(told, real_task, real_project, context, asked=True))


def ask(api: LabelStudioApi, path: str) -> Any:
    """What Label Studio answers; None if there is nothing.

    Raises:
        TryLaterError: it does not answer, or refuses.
    """
    try:
        return api.get(path)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None
        raise TryLaterError(str(error)) from error


def _is_gone(path: str, context: Context) -> bool:
    return ask(api_of(context), path) is None


def api_of(context: Context) -> LabelStudioApi:
    """Label Studio, to be asked.

    Raises:
        TryLaterError: nobody has said yet where it is.
    """
    if context.api is None:
        raise TryLaterError(
            "the event proves nothing, and Label Studio cannot be asked: set LABEL_STUDIO_URL and "
            "LABEL_STUDIO_API_KEY"
        )
    return context.api


def _task_of(annotation: Json, tasks: Mapping[int, Json]) -> Json:
    wanted = _task_number(annotation)
    if wanted not in tasks:
        raise BadRequestError(f"the event lacks its task, {wanted}")
    return tasks[wanted]


def _task_number(annotation: Json) -> int:
    """A number in events, an object with an id in some answers of the API."""
    task = annotation.get("task")
    return number(task, "id") if isinstance(task, Mapping) else number(annotation, "task")


def _tasks(body: Json) -> dict[int, Json]:
    """Those that can be told apart, by their number."""
    tasks = [task for task in _one_or_many(body, "task") if isinstance(task, Mapping)]
    return {task["id"]: task for task in tasks if is_number(task.get("id"))}


def _one_or_many(body: Json, key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else [value]


def _object(body: Json, key: str) -> Json:
    value = body.get(key)
    if is_number(value):
        return {"id": value}
    if not isinstance(value, Mapping):
        raise BadRequestError(f"the event has no {key}")
    return value


def _list(body: Json, key: str) -> Sequence[Json]:
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise BadRequestError(f"the event has no list of {key}")
    return value
