"""Deletes annotations together with the state in which their tasks were compared.

The two lie in different files, so a kill can come between the two writes. The state goes first: the
task is then compared once more. A state that outlived its annotation would keep the task from being
compared, and what Label Studio still has of it would stay lost.
"""

from backend.label_studio.ingest.bookkeeping import Bookkeeping
from training.annotation_store import AnnotationKey, AnnotationStore, ProjectKey, TaskKey


def delete_annotation(number: int, store: AnnotationStore, bookkeeping: Bookkeeping) -> bool:
    """Delete an annotation for good; return whether it was stored."""
    key = AnnotationKey(bookkeeping.source, number)
    stored = store.annotation(key)
    if stored is not None:  # else its task is unknown: Label Studio counts more than are stored
        bookkeeping.forget_compared_task(stored.task)
    return store.delete(key)


def delete_task(number: int, store: AnnotationStore, bookkeeping: Bookkeeping) -> int:
    """Delete a task for good; return how many annotations it had."""
    bookkeeping.forget_compared_task(number)
    return store.delete_task(TaskKey(bookkeeping.source, number))


def delete_project(number: int, store: AnnotationStore, bookkeeping: Bookkeeping) -> int:
    """Delete a project for good; return how many annotations it had."""
    bookkeeping.forget_compared_project(number)
    return store.delete_project(ProjectKey(bookkeeping.source, number))


def replace_project(number: int, store: AnnotationStore, bookkeeping: Bookkeeping) -> int:
    """Delete a project, but let another one have its number; return its annotation count.

    When it was created is forgotten last: after a kill the other project is still refused.
    """
    bookkeeping.forget_compared_project(number)
    count = store.replace_project(ProjectKey(bookkeeping.source, number))
    bookkeeping.forget_created_at(number)
    return count
