"""Deletes annotations together with the state in which their tasks were compared.

The two lie in different files, so a kill can come between the two writes. The state goes first: the
task is then compared once more. A state that outlived its annotation would keep the task from being
compared, and what Label Studio still has of it would stay lost.

Label Studio deletes thousands at a time: however many, each file is written in one transaction.
"""

from collections.abc import Iterable

from backend.label_studio.ingest.bookkeeping import Bookkeeping
from training.annotation_store import AnnotationKey, AnnotationStore, ProjectKey, TaskKey


def delete_annotations(
    numbers: Iterable[int], store: AnnotationStore, bookkeeping: Bookkeeping
) -> int:
    """Delete annotations for good; return how many were stored."""
    keys = [AnnotationKey(bookkeeping.source, number) for number in numbers]
    # The task of one that is not stored is unknown: Label Studio counts more than are stored.
    stored = [one for one in map(store.annotation, keys) if one is not None]
    bookkeeping.forget_compared_tasks(one.task for one in stored)
    return store.delete(*keys)


def delete_tasks(numbers: Iterable[int], store: AnnotationStore, bookkeeping: Bookkeeping) -> int:
    """Delete tasks for good; return how many annotations they had."""
    keys = [TaskKey(bookkeeping.source, number) for number in numbers]
    bookkeeping.forget_compared_tasks(key.number for key in keys)
    return store.delete_task(*keys)


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
