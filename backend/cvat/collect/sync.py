"""Compares projects and tasks with CVAT: it sends each webhook once."""

import logging
import math
import time
from collections.abc import Iterable

from backend.cvat.api import CvatError
from backend.cvat.collect.bookkeeping import Hint
from backend.cvat.collect.collector import Collector, TryLaterError
from backend.cvat.collect.described import Job, read
from backend.cvat.collect.frame_numbers import job_and_frame
from backend.cvat.collect.hints import (
    delete_project,
    delete_task,
    look_into,
    look_into_job,
)
from backend.cvat.collect.job_names import EVENT_JOB
from backend.cvat.collect.waiting import publish_waiting
from backend.errors import BadRequestError
from backend.jobs.job_queue import requeue_failed
from backend.retraining.requesting import request_where_due
from training.annotation_store import ProjectKey

log = logging.getLogger(__name__)

SECONDS = 1800.0
"""How long one comparison may take; its job has an hour."""


def reconcile_all(collector: Collector) -> str:
    """Look into what waits, and compare every known project and task; return what was done."""
    requeue_failed(collector.redis, (EVENT_JOB,))
    until = time.monotonic() + SECONDS
    words = [try_again(collector)]
    if collector.api is not None and collector.settings.reconcile_minutes:
        for hint in known(collector):
            try:
                words.append(reconcile(collector, hint, until))
            except (TryLaterError, BadRequestError) as error:
                words.append(f"{hint[0]} {hint[1]}: {error}")
    publish_waiting(collector.bookkeeping, collector.redis)
    request_where_due(collector.settings, collector.store, collector.redis)
    return "; ".join(words)


def known(collector: Collector) -> list[Hint]:
    """Return the projects that annotations came from, and the tasks of no project."""
    tasks = collector.bookkeeping.tasks()
    stored = {p.number for p in collector.store.projects() if p.source == collector.source}
    projects = {number for number in stored.union(tasks.values()) if number}
    alone = sorted(task for task, project in tasks.items() if not project)
    return [*(("project", number) for number in sorted(projects)), *(("task", t) for t in alone)]


def try_again(collector: Collector) -> str:
    """Look into each hint that waits once more; return how many, in words."""
    waiting = collector.bookkeeping.waiting()
    for hint, _ in waiting:
        try:
            look_into(collector, hint)
        except TryLaterError as error:
            collector.bookkeeping.wait(hint, str(error))
            continue
        except BadRequestError as error:
            log.warning("%s %d: %s", *hint, error)
        collector.bookkeeping.stop_waiting(hint)
    return f"{len(waiting)} hints tried again"


def reconcile(collector: Collector, what: Hint, until: float = math.inf) -> str:
    """Store what is new or changed in a project or task, delete what is gone; say what was.

    Jobs that are not reached before ``until`` are left for the next time.

    Raises:
        TryLaterError: CVAT does not answer, refuses, or may be another one.
        BadRequestError: it describes something in another form.
    """
    kind, number = what
    if collector.ask(f"/api/{kind}s/{number}") is None:
        gone = delete_project if kind == "project" else delete_task
        return f"{kind} {number}: gone; {gone(collector, number)} frames deleted"
    # Read before CVAT is asked: what is accepted meanwhile must not look deleted.
    before = _stored_jobs(collector, what)
    seen, looked, failures = set(), 0, []
    for job in _jobs(collector, what):
        seen.add(job.id)
        if collector.bookkeeping.job_state(job.id) == job.updated_at:
            continue
        if time.monotonic() > until:
            failures.append("the jobs before took too long")
            break
        looked += 1
        try:
            log.info("job %d: %s", job.id, look_into_job(collector, job.id))
        except (TryLaterError, BadRequestError) as error:
            log.warning("job %d: %s", job.id, error)
            failures.append(str(error))
    else:
        for job_number in sorted(before - seen):
            look_into_job(collector, job_number)
    end = f", {len(failures)} to be tried again: {failures[-1]}" if failures else ""
    return f"{kind} {number}: {looked} jobs looked into{end}"


def _jobs(collector: Collector, what: Hint) -> Iterable[Job]:
    kind, number = what
    try:
        listed = list(collector.cvat.listed("/api/jobs", **{f"{kind}_id": number}))
    except CvatError as error:
        raise TryLaterError(str(error)) from error
    return [read(Job, one) for one in listed]


def _stored_jobs(collector: Collector, what: Hint) -> set[int]:
    """Return the jobs of a project or task that have stored frames."""
    kind, number = what
    tasks: dict[int, set[int]] = {}
    if kind == "project":
        tasks = collector.store.annotations_by_task(ProjectKey(collector.source, number))
    else:
        own = collector.store.annotations_by_task(ProjectKey(collector.source, 0))
        tasks = {number: own.get(number, set())}
    return {job_and_frame(one)[0] for numbers in tasks.values() for one in numbers}
