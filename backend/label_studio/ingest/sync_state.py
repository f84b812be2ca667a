"""What the store knows of a project, against what Label Studio's list of tasks says."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.label_studio.ingest.store_annotation import Json, moment, number
from training.annotation_store import AnnotationStore


@dataclass(frozen=True)
class Known:
    """By task: its state when it was compared, its annotations, and those not kept as they are."""

    states: Mapping[int, str]
    stored: Mapping[int, set[int]]
    aside: Mapping[int, set[int]]

    @property
    def tasks(self) -> set[int]:
        """Those with annotations."""
        return {*self.stored, *self.aside}

    def annotations(self, task: Json) -> set[int]:
        """The ids of a task's annotations."""
        return self.stored.get(task["id"], set()) | self.aside.get(task["id"], set())

    def has_news(self, task: Json) -> bool:
        """Whether a task must be compared; what is set aside, always: the reason may be gone.

        Raises:
            BadRequestError: the task lacks its id or its time.
        """
        task_id, state = number(task, "id"), state_of(task)
        if task_id in self.aside:
            return True
        stored, there = self.stored.get(task_id, set()), task.get("total_annotations") or 0
        if self.states.get(task_id) != state:
            return bool(stored or there)
        most = there + (task.get("cancelled_annotations") or 0)  # skipped ones are not all known
        return not there <= len(stored) <= most


def known_of(store: AnnotationStore, project: int) -> Known:
    """What the store knows now."""
    return Known(
        store.tasks(project),
        store.annotations_by_task(project),
        store.set_aside_by_task(project),
    )


def state_of(task: Json) -> str:
    """What changes when a task's annotations do.

    Label Studio counts them a moment after it has set the time, so the time alone says too little.
    """
    counts = [task.get("total_annotations"), task.get("cancelled_annotations")]
    return " ".join(map(str, [moment(task.get("updated_at")), *counts]))
