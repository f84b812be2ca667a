"""What webhooks did not bring: they are sent once, with a second's patience."""

import logging
import math
import time
from collections.abc import Sequence

from backend.errors import BadRequestError, ServingError
from backend.label_studio import known_projects
from backend.label_studio.api import NOT_FOUND, NotThereError
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.errors import TryLaterError
from backend.label_studio.ingest.events import api_of, ask
from backend.label_studio.ingest.retries import tell_backlog, try_again
from backend.label_studio.ingest.server_identity import check_project
from backend.label_studio.ingest.store_annotation import Json, accept
from backend.label_studio.ingest.sync_state import known_of, state_of
from backend.retraining.requesting import request_where_due
from backend.settings.retraining import parse_lines
from training.annotation_store import Applied

log = logging.getLogger(__name__)

SECONDS = 1800.0
"""How long one comparison goes on: hosts that do not answer take their time, its job has an hour.
"""


def reconcile_projects(context: Context, projects: Sequence[int] | None = None) -> str:
    """Compare projects with Label Studio, try again what had to wait, train where it is due.

    Projects left out, those that have connected, that something was accepted in, or that are named
    in the settings. One that cannot be compared does not stop the others.
    """
    lines = [try_again(context)]
    if context.api is None:
        lines.append("where Label Studio is nobody has said yet")
    else:
        compared = all_projects(context) if projects is None else projects
        end = time.monotonic() + SECONDS
        for done, project in enumerate(compared):
            now = time.monotonic()
            until = now + (end - now) / (len(compared) - done)  # what one leaves is the others'
            try:
                lines.append(f"project {project}: {reconcile_project(context, project, until)}")
            except (TryLaterError, ServingError) as error:
                lines.append(f"project {project}: {error}")
    tell_backlog(context)
    request_where_due(context.settings, context.store, context.redis)
    return "; ".join(lines)


def all_projects(context: Context) -> list[int]:
    """Those that may have annotations for us."""
    accepted_in, named = context.store.projects(), parse_lines(context.settings.lines)
    return sorted({*known_projects.connected(context.redis), *accepted_in, *named})


def reconcile_project(context: Context, project: int, until: float = math.inf) -> str:
    """Take in what is new or changed in a project, forget what is no longer there; in words.

    Tasks that it has not come to ``until`` then are left for the next time.

    Raises:
        TryLaterError, ApiError: Label Studio does not answer, or refuses.
        NotThereError: it has no such project, and nothing is known of one.
    """
    api = api_of(context)
    described = ask(context, f"/api/projects/{project}")
    if described is None:
        if not _has_heard_of(context, project):
            raise NotThereError(f"Label Studio has no project {project}", NOT_FOUND)
        known_projects.forget(context.redis, project)
        return f"deleted; {context.store.delete_project(project)} annotations forgotten"
    check_project(context, described, asked=True)
    # Read before Label Studio is asked: what is accepted meanwhile must not look deleted.
    known = known_of(context.store, project)
    seen, taken, troubles = set(), 0, 0
    for task in api.tasks(project):
        seen.add(task.get("id"))
        try:
            if not known.has_news(task):
                continue
            if time.monotonic() > until:
                raise TryLaterError("the tasks before it took too long")
            outcomes = _reconcile_task(context, task, described, known.annotations(task))
        except (TryLaterError, ServingError) as error:
            log.warning("task %s of project %d: %s", task.get("id"), project, error)
            outcomes = [None]
        taken += outcomes.count(Applied.STORED)
        if None in outcomes:
            troubles += 1
        else:
            context.store.note_task(task["id"], project, state_of(task))
    # A list read page by page can miss some: only what is not there when asked for is gone.
    unseen = sorted(known.tasks - seen)
    gone = [task for task in unseen if ask(context, f"/api/tasks/{task}") is None]
    forgotten = sum(map(context.store.delete_task, gone))
    return f"{taken} taken in, {forgotten} forgotten" + (
        f", {troubles} tasks to be tried again" if troubles else ""
    )


def _has_heard_of(context: Context, project: int) -> bool:
    """Whether a project has connected, or anything is kept of it."""
    store = context.store
    return (
        project in known_projects.connected(context.redis)
        or store.identity(project) is not None
        or bool(store.tasks(project))
        or bool(store.annotations_by_task(project))
        or bool(store.set_aside_by_task(project))
    )


def _reconcile_task(
    context: Context, task: Json, project: Json, known: set[int]
) -> list[Applied | None]:
    """What became of each annotation of a task; None if it must be tried again."""
    there = list(ask(context, f"/api/tasks/{task['id']}/annotations/") or [])
    for missing in sorted(known - {one.get("id") for one in there}):
        found = ask(
            context, f"/api/annotations/{missing}"
        )  # one that was skipped is not in the list
        if found is None:
            context.store.delete(missing)
        else:
            there.append(found)
    return [_accept(one, task, project, context) for one in there]


def _accept(annotation: Json, task: Json, project: Json, context: Context) -> Applied | None:
    """Take one in; what is wrong with it, or away, keeps no other one of its task out."""
    try:
        return accept(annotation, task, project, context, asked=True)
    except BadRequestError as error:
        log.warning("annotation %s is set aside: %s", annotation.get("id"), error)
        return Applied.OLD
    except TryLaterError as error:
        log.warning("annotation %s is tried again later: %s", annotation.get("id"), error)
        return None
