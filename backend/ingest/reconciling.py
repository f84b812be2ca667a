"""What webhooks did not bring: they are sent once, with a second's patience."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.ingest.accepting import TryLaterError, accept, moment
from backend.ingest.context import Context
from backend.ingest.deciding import request_if_enough
from backend.ingest.events import act, api_of, ask
from backend.label_studio.api import ApiError
from backend.retraining import connected
from backend.retraining.settings import parse_lines
from dynamite.errors import DynamiteError
from training.annotation_store import Applied


def reconcile_projects(context: Context, projects: Sequence[int] | None = None) -> str:
    """Compare projects with Label Studio, and try again the events that had to wait.

    Projects left out, those that have connected, that something was accepted in, or that are named
    in the settings.
    """
    waiting = context.store.waiting()
    for event, _ in waiting:
        _try_again(event, context)
    if context.api is None:
        return f"{len(waiting)} events tried again; where Label Studio is nobody has said yet"
    if projects is None:
        accepted_in, named = context.store.projects(), parse_lines(context.settings.lines)
        projects = sorted({*connected.connected(context.redis), *accepted_in, *named})
    lines = [f"{len(waiting)} events tried again"]
    for project in projects:
        try:
            lines.append(f"project {project}: {reconcile_project(context, project)}")
        except (TryLaterError, ApiError) as error:
            lines.append(f"project {project}: {error}")
    return "; ".join(lines)


def _try_again(event: dict[str, Any], context: Context) -> None:
    """An event that still must wait stays where it is."""
    try:
        act(event, context)
    except (TryLaterError, DynamiteError) as error:
        context.store.wait(event, str(error))
    else:
        context.store.stop_waiting(event)


def reconcile_project(context: Context, project: int) -> str:
    """Take in what is new or changed in a project, forget what is no longer there."""
    api = api_of(context)
    described = ask(api, f"/api/projects/{project}")
    if described is None:
        connected.forget(context.redis, project)
        return f"deleted; {context.store.delete_project(project)} annotations forgotten"
    before = context.store.tasks(project)
    # Read before Label Studio is asked: what is accepted meanwhile must not look deleted.
    stored = context.store.annotations_by_task(project)
    seen, taken, troubles = set(), 0, 0
    for task in api.tasks(project):
        seen.add(task["id"])
        state = state_of(task)
        known = stored.get(task["id"], set())
        if before.get(task["id"]) == state or not (known or task.get("total_annotations")):
            continue
        try:
            taken += _reconcile_task(context, task, described, known)
        except (DynamiteError, TryLaterError):
            troubles += 1
        else:
            context.store.note_task(task["id"], project, state)
    # A list read page by page can miss some: only what is not there when asked for is gone.
    gone = [task for task in sorted(stored.keys() - seen) if ask(api, f"/api/tasks/{task}") is None]
    forgotten = sum(map(context.store.delete_task, gone))
    request_if_enough(context, project)
    return f"{taken} taken in, {forgotten} forgotten" + (
        f", {troubles} tasks to be tried again" if troubles else ""
    )


def state_of(task: Mapping[str, Any]) -> str:
    """What changes when a task's annotations do.

    Label Studio counts them a moment after it has set the time, so the time alone says too little.
    """
    counts = [task.get("total_annotations"), task.get("cancelled_annotations")]
    return " ".join(map(str, [moment(task["updated_at"]), *counts]))


def _reconcile_task(
    context: Context, task: Mapping[str, Any], project: Mapping[str, Any], known: set[int]
) -> int:
    api = api_of(context)
    there = list(ask(api, f"/api/tasks/{task['id']}/annotations/") or [])
    for missing in sorted(known - {one["id"] for one in there}):
        found = ask(api, f"/api/annotations/{missing}")  # one that was skipped is not in the list
        if found is None:
            context.store.delete(missing)
        else:
            there.append(found)
    applied = [accept(one, task, project, context, asked=True) for one in there]
    return applied.count(Applied.STORED)
