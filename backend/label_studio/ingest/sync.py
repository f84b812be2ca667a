"""Compares projects with Label Studio: it sends each webhook once and waits one second."""

import logging
import math
import time
from collections.abc import Mapping, Sequence

from redis import Redis

from backend.errors import BadRequestError, ServingError
from backend.label_studio import known_projects
from backend.label_studio.api import NOT_FOUND, NotThereError
from backend.label_studio.ingest.asking import api_of, ask
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.deletion import delete_annotations, delete_project, delete_tasks
from backend.label_studio.ingest.ingest import Ingest, TryLaterError
from backend.label_studio.ingest.known_tasks import known_tasks, state_of
from backend.label_studio.ingest.retries import publish_backlog, try_again
from backend.label_studio.ingest.server_identity import check_project
from backend.label_studio.ingest.store_annotation import store_annotation
from backend.label_studio.ingest.values import Json, is_number
from backend.retraining.requesting import request_where_due
from backend.settings.lines import parse_lines
from training.annotation_store import AnnotationStore, Outcome

log = logging.getLogger(__name__)

SECONDS = 1800.0
"""How long one comparison may take; its job has an hour. Dead hosts take long."""


def reconcile_projects(ingest: Ingest, projects: Sequence[int] | None = None) -> str:
    """Compare projects with Label Studio, retry events that wait, request trainings that are due.

    A project that cannot be compared does not stop the others.

    Args:
        ingest: what it takes.
        projects: their numbers; all known ones if not given.

    Returns:
        What was done, in words.
    """
    store, bookkeeping, redis = ingest.store, ingest.bookkeeping, ingest.redis
    words = [try_again(ingest)]
    if ingest.api is None:
        words.append("the address or the token of Label Studio is unknown")
    else:
        compared = all_projects(ingest) if projects is None else projects
        end = time.monotonic() + SECONDS
        for done, project in enumerate(compared):
            now = time.monotonic()
            until = now + (end - now) / (len(compared) - done)  # time left over goes to the others
            try:
                words.append(f"project {project}: {reconcile_project(ingest, project, until)}")
            except (TryLaterError, ServingError) as error:
                words.append(f"project {project}: {error}")
    publish_backlog(store, bookkeeping, redis)
    request_where_due(ingest.settings, store, redis)
    return "; ".join(words)


def all_projects(ingest: Ingest) -> list[int]:
    """Return the projects that have connected, have annotations, or are named in the settings."""
    connected = known_projects.connected(ingest.redis, ingest.source)
    lines = parse_lines(ingest.settings.lines, ingest.source)
    known = [*ingest.store.projects(), *lines.by_project]
    return sorted(connected.union(number for source, number in known if source == ingest.source))


def reconcile_project(ingest: Ingest, project: int, until: float = math.inf) -> str:
    """Store what is new or changed in a project, delete what is gone; return what was, in words.

    Tasks that are not reached before ``until`` are left for the next time.

    Raises:
        TryLaterError, ApiError: Label Studio does not answer, or refuses.
        NotThereError: it has no such project, and nothing is known of one.
    """
    store, bookkeeping = ingest.store, ingest.bookkeeping
    api = api_of(ingest)
    described = ask(ingest, f"/api/projects/{project}")
    if described is None:
        if not _is_known(project, store, bookkeeping, ingest.redis):
            raise NotThereError(f"Label Studio has no project {project}", NOT_FOUND)
        known_projects.forget(ingest.redis, ingest.source, project)
        count = delete_project(project, store, bookkeeping)
        return f"deleted in Label Studio; {count} annotations deleted here"
    check_project(described, bookkeeping, seen_at=api.url)
    # Read before Label Studio is asked: what is accepted meanwhile must not look deleted.
    known = known_tasks(project, store, bookkeeping)
    seen, stored, failed = set(), 0, 0
    for task in api.tasks(project):
        seen.add(task.get("id"))
        try:
            if not known.has_news(task):
                continue
            if time.monotonic() > until:
                raise TryLaterError("the tasks before it took too long")
            outcomes = _reconcile_task(ingest, task, described, known.annotations(task))
        except (TryLaterError, ServingError) as error:
            log.warning("task %s of project %d: %s", task.get("id"), project, error)
            outcomes = [None]
        stored += outcomes.count(Outcome.STORED)
        if None in outcomes:
            failed += 1
        else:
            bookkeeping.note_compared(task["id"], project, state_of(task), store.change())
    # A list read page by page can miss some: only what a question of its own does not find is gone.
    unseen = sorted(known.with_annotations - seen)
    gone = [task for task in unseen if ask(ingest, f"/api/tasks/{task}") is None]
    deleted = delete_tasks(gone, store, bookkeeping)
    return f"{stored} stored, {deleted} deleted" + (
        f", {failed} tasks to be tried again" if failed else ""
    )


def _is_known(project: int, store: AnnotationStore, bookkeeping: Bookkeeping, redis: Redis) -> bool:
    """Return whether a project has connected, or anything is kept of it."""
    known = known_tasks(project, store, bookkeeping)
    return (
        project in known_projects.connected(redis, bookkeeping.source)
        or bookkeeping.created_at(project) is not None
        or bool(known.states or known.with_annotations)
    )


def _reconcile_task(
    ingest: Ingest, task: Json, project: Json, known: set[int]
) -> list[Outcome | None]:
    """Return what became of each annotation of a task; None if it must be tried again."""
    listed = ask(ingest, f"/api/tasks/{task['id']}/annotations/") or []
    found = [one for one in listed if isinstance(one, Mapping)]
    for missing in sorted(known - {one["id"] for one in found if is_number(one.get("id"))}):
        one = ask(ingest, f"/api/annotations/{missing}")  # the list leaves out skipped ones
        if one is None:
            delete_annotations([missing], ingest.store, ingest.bookkeeping)
        else:
            found.append(one)
    return [_store(one, task, project, ingest) for one in found]


def _store(annotation: Json, task: Json, project: Json, ingest: Ingest) -> Outcome | None:
    """Store an annotation; None if it must be tried again. Its errors do not stop the others."""
    try:
        return store_annotation(annotation, task, project, ingest, asked=True)
    except BadRequestError as error:
        log.warning("annotation %s is set aside: %s", annotation.get("id"), error)
        return Outcome.NOT_NEWER
    except TryLaterError as error:
        log.warning("annotation %s is tried again later: %s", annotation.get("id"), error)
        return None
