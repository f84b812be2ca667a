"""Orders the tasks of a project: first those on which the model is least sure.

How sure it is, is told by the score of a task's newest prediction, which pre-labelling writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backend.label_studio.api import LabelStudioApi


@dataclass(frozen=True)
class NextTask:
    """A task that nobody has labelled; ``score`` is None if it has no prediction."""

    number: int
    score: float | None


def least_sure(api: LabelStudioApi, project: int) -> list[NextTask]:
    """Return the unlabelled tasks, the lowest score first, those without a prediction last.

    Raises:
        ApiError: Label Studio has no such project, or does not answer.
    """
    scores = _newest_scores(api.get("/api/predictions", project=project))
    tasks = [
        NextTask(task["id"], scores.get(task["id"]))
        for task in api.tasks(project)
        if not task.get("is_labeled")
    ]
    return sorted(tasks, key=lambda one: (one.score is None, one.score or 0.0, one.number))


def _newest_scores(predictions: Any) -> dict[int, float]:
    """Return the score of each task's newest prediction; what is no prediction is left out."""
    usable = [
        one
        for one in (predictions if isinstance(predictions, Iterable) else ())
        if isinstance(one, dict)
        and isinstance(one.get("task"), int)
        and isinstance(one.get("id"), int)
        and isinstance(one.get("score"), int | float)
    ]
    newest_last = sorted(usable, key=lambda one: one["id"])
    return {one["task"]: float(one["score"]) for one in newest_last}
