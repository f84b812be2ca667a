"""Label Studio's events, one at a time: believed if verified, else asked about."""

import time
from collections.abc import Mapping
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.api import ApiError, LabelStudioApi, NotThereError
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.errors import TryLaterError
from backend.label_studio.ingest.event_fields import (
    ACCEPTED,
    action_of,
    annotation_of,
    apart,
    body_of,
    described,
    list_of,
    object_of,
    task_number,
)
from backend.label_studio.ingest.server_identity import check_project, check_word
from backend.label_studio.ingest.store_annotation import Json, accept, number
from backend.retraining.requesting import request_if_enough, request_training

SECONDS = 600.0
"""What is left of an event after so long waits: hosts that do not answer take their time."""


def take(event: Json, context: Context) -> str:
    """Deal with one event; what was done, in words.

    Each of its annotations stands for itself: one that must wait is kept in the store as an event
    of its own.

    Raises:
        BadRequestError: something is not shaped as Label Studio's are; all else is dealt with.
    """
    until, words, wrong = time.monotonic() + SECONDS, [], []
    for one in apart(event):
        try:
            if time.monotonic() > until:
                raise TryLaterError("the others of its event took too long")
            words.append(act(one, context))
        except TryLaterError as error:
            context.store.wait(one, str(error))
            words.append(f"waits: {error}")
        except BadRequestError as error:
            wrong.append(str(error))
    body = body_of(event)
    if action_of(body) in ACCEPTED:
        project = number(object_of(body, "project"), "id")
        words.append(request_if_enough(context.settings, context.store, context.redis, project))
    if wrong:
        raise BadRequestError("; ".join(wrong))
    return f"{action_of(body)}: " + "; ".join(word for word in words if word)


def act(event: Json, context: Context) -> str:
    """What is to be done about an event of at most one annotation.

    Raises:
        BadRequestError: it is not shaped as Label Studio's are.
        TryLaterError: something is away that may come back.
    """
    body, verified = body_of(event), bool(event.get("verified"))
    action = action_of(body)
    if action == "START_TRAINING":
        if not verified:  # Label Studio sends the password with this one
            return "it does not prove that it comes from Label Studio"
        number_of_it = number(object_of(body, "project"), "id")
        line = context.settings.line_of(number_of_it)
        reason = f"the Start Training button of project {number_of_it}"
        return request_training(context.settings, context.store, context.redis, line, reason)
    if action in ACCEPTED:
        annotation = annotation_of(body)
        try:
            return _accept(annotation, body, context, verified=verified)
        except BadRequestError as error:
            raise BadRequestError(f"annotation {annotation.get('id')}: {error}") from None
    return _forget(action, body, context, verified=verified)


def _forget(action: str, body: Json, context: Context, *, verified: bool) -> str:
    kinds = {
        "ANNOTATIONS_DELETED": ("annotations", context.store.delete),
        "TASKS_DELETED": ("tasks", context.store.delete_task),
    }
    if action != "PROJECT_DELETED" and action not in kinds:
        return "nothing to do"
    check_project(context, described(body, "project"), asked=False)
    if action == "PROJECT_DELETED":
        project = number(object_of(body, "project"), "id")
        if verified or _is_gone(f"/api/projects/{project}", context):
            return f"{context.store.delete_project(project)} annotations forgotten"
        return "not confirmed by Label Studio"
    name, forget = kinds[action]
    ids = [number(item, "id") for item in list_of(body, name)]
    gone = ids if verified else [i for i in ids if _is_gone(f"/api/{name}/{i}", context)]
    return f"{sum(map(forget, gone))} annotations forgotten"


def _accept(annotation: Json, body: Json, context: Context, *, verified: bool) -> str:
    if verified:
        task = body.get("task")
        if not isinstance(task, Mapping):
            raise BadRequestError(f"the event lacks its task, {task_number(annotation)}")
        project = object_of(body, "project")
        check_project(context, project, asked=False)
        return str(accept(annotation, task, project, context, asked=False))
    annotation_id = number(annotation, "id")
    told = ask(context, f"/api/annotations/{annotation_id}")
    if told is None:
        return "Label Studio has no such annotation"
    real_task = ask(context, f"/api/tasks/{task_number(told)}")
    if real_task is None:
        return "Label Studio has no such task"
    real_project = ask(context, f"/api/projects/{number(real_task, 'project')}")
    if real_project is None:
        return "Label Studio has no such project"
    check_project(context, real_project, asked=True)
    return str(accept(told, real_task, real_project, context, asked=True))


def ask(context: Context, path: str) -> Any:
    """What Label Studio answers; None if there is nothing.

    Raises:
        TryLaterError: it does not answer, or refuses, or may be another one and has nothing.
    """
    api = api_of(context)
    try:
        return api.get(path)
    except NotThereError:
        check_word(context, api.url, path)
        return None
    except ApiError as error:
        raise TryLaterError(str(error)) from error


def _is_gone(path: str, context: Context) -> bool:
    return ask(context, path) is None


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
