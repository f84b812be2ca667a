"""What is stored of a project, compared with Label Studio's list of its tasks."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.values import Json, moment, number
from training.annotation_store import AnnotationStore, ProjectKey


@dataclass(frozen=True)
class KnownTasks:
    """What is known of the tasks of a project, by task number.

    Attributes:
        states: the state in which a task was compared last.
        stored: the numbers of its stored annotations.
        set_aside: the numbers of its annotations with rejections.
    """

    states: Mapping[int, str]
    stored: Mapping[int, set[int]]
    set_aside: Mapping[int, set[int]]

    @property
    def with_annotations(self) -> set[int]:
        """The tasks with annotations."""
        return {*self.stored, *self.set_aside}

    def annotations(self, task: Json) -> set[int]:
        """Return the numbers of a task's annotations."""
        return self.stored.get(task["id"], set()) | self.set_aside.get(task["id"], set())

    def has_news(self, task: Json) -> bool:
        """Return whether a task must be compared.

        One with rejections always must: their reason may be gone.

        Raises:
            BadRequestError: the task lacks its id or its time.
        """
        task_id, state = number(task, "id"), state_of(task)
        if task_id in self.set_aside:
            return True
        stored, there = self.stored.get(task_id, set()), task.get("total_annotations") or 0
        if self.states.get(task_id) != state:
            return bool(stored or there)
        most = there + (task.get("cancelled_annotations") or 0)  # not all skipped ones are stored
        return not there <= len(stored) <= most


def known_tasks(project: int, store: AnnotationStore, bookkeeping: Bookkeeping) -> KnownTasks:
    """Read what is known of a project's tasks now."""
    key = ProjectKey(bookkeeping.source, project)
    return KnownTasks(
        bookkeeping.compared(project),
        store.annotations_by_task(key),
        store.set_aside_by_task(key),
    )


def state_of(task: Json) -> str:
    """Return what changes whenever a task's annotations do.

    Label Studio counts annotations a moment after it has set the time, so the time is not enough.
    """
    counts = [task.get("total_annotations"), task.get("cancelled_annotations")]
    return " ".join(map(str, [moment(task.get("updated_at")), *counts]))
