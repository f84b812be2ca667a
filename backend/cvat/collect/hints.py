"""Looks into what a webhook hinted at: a job, or something that is said to be gone."""

from backend.cvat.accepted import is_accepted, is_rejected
from backend.cvat.collect.bookkeeping import Hint
from backend.cvat.collect.collector import OWN_NAME, Collector, TryLaterError
from backend.cvat.collect.described import Job, Task, read
from backend.cvat.collect.frame_numbers import job_and_frame
from backend.cvat.collect.job_frames import (
    cancel_frames,
    delete_frames,
    store_frames,
    stored_frames,
)
from backend.retraining.requesting import request_if_enough
from training.annotation_store import ProjectKey, TaskKey

ORDINARY = "annotation"
"""The type of jobs that people draw in; others repeat or check them."""


def look_into(collector: Collector, hint: Hint) -> str:
    """Ask CVAT about a hint and do what follows; return what was done, in words.

    Raises:
        TryLaterError: CVAT does not answer, or may be another one.
        BadRequestError: it describes something in another form.
    """
    kind, number = hint
    if kind == "task":
        words = _task(collector, number)
    elif kind == "project":
        words = _project(collector, number)
    else:
        words = look_into_job(collector, number)
    return f"{kind} {number}: {words}"


def look_into_job(collector: Collector, number: int) -> str:
    """Store, cancel or delete the frames of a job, as CVAT describes it now."""
    found = collector.ask(f"/api/jobs/{number}")
    if found is None:
        return f"gone; {delete_job(collector, number)} frames deleted"
    job = read(Job, found)
    if job.type != ORDINARY:
        return f"nothing to do, it is of type {job.type}"
    check_task(collector, job.task_id)
    described = {"state": job.state, "stage": job.stage}
    if is_rejected(described):
        words = cancel_frames(collector, job)
    elif is_accepted(described, collector.settings.cvat_accepted):
        words = store_frames(collector, job)
    else:
        return f"not accepted: state {job.state}, stage {job.stage}"
    collector.bookkeeping.note_job(job.id, job.updated_at, collector.store.change())
    project = ProjectKey(collector.source, job.project)
    asked = request_if_enough(collector.settings, collector.store, collector.redis, project)
    return f"{words}; {asked}" if asked else words


def delete_job(collector: Collector, number: int) -> int:
    """Delete what is stored of a job that is gone; return how many frames it had."""
    return delete_frames(collector, number, stored_frames(collector, number))


def check_task(collector: Collector, number: int) -> None:
    """Remember a task at first sight; after that, refuse another one with its number.

    Every CVAT counts from 1. Under the same name, another one would overwrite what was accepted,
    and what it lacks would be deleted. A task is identified by the time it was created.

    Raises:
        TryLaterError: it is another task, or CVAT does not answer.
    """
    found = collector.ask(f"/api/tasks/{number}")
    if found is None:
        raise TryLaterError(f"task {number} is gone, but not its job")
    task, books = read(Task, found), collector.bookkeeping
    known = books.created_at(number)
    if known is not None and known != task.created_at:
        raise TryLaterError(
            f"task {number}, created {task.created_at}, is not the one that annotations came from, "
            f"created {known}: {OWN_NAME}"
        )
    books.note_task(number, task.project_id or 0, task.created_at)
    books.note_site(collector.cvat.url)


def _task(collector: Collector, number: int) -> str:
    if collector.ask(f"/api/tasks/{number}") is not None:
        return "it is still there"
    return f"{delete_task(collector, number)} frames deleted"


def delete_task(collector: Collector, number: int) -> int:
    """Delete what is stored of a task that is gone; return how many frames it had."""
    for project in collector.store.projects():
        numbers = collector.store.annotations_by_task(project).get(number, set())
        if project.source == collector.source:
            for job in {job_and_frame(one)[0] for one in numbers}:
                frames = [frame for own, frame in map(job_and_frame, numbers) if own == job]
                collector.bookkeeping.forget_frames(job, frames)
    collector.bookkeeping.forget_task(number)
    return collector.store.delete_task(TaskKey(collector.source, number))


def _project(collector: Collector, number: int) -> str:
    if collector.ask(f"/api/projects/{number}") is not None:
        return "it is still there"
    return f"{delete_project(collector, number)} frames deleted"


def delete_project(collector: Collector, number: int) -> int:
    """Delete what is stored of a project that is gone; return how many frames it had."""
    tasks = [task for task, own in collector.bookkeeping.tasks().items() if own == number]
    count = sum(delete_task(collector, task) for task in tasks)
    return count + collector.store.delete_project(ProjectKey(collector.source, number))
