"""Single steps of the store's transactions."""

import sqlite3
from collections.abc import Sequence

from training.annotation_store.keys import AnnotationKey, ProjectKey, TaskKey
from training.annotation_store.reading import Reading
from training.annotation_store.values import AcceptedAnnotation, Rejection

TASK, PROJECT = "task", "project"
"""What can be deleted for good beside single annotations."""

EVER = "9999"
"""An update time after all others."""


class Rows(Reading):
    """The half of the store that writes, step by step."""

    def _is_gone(self, annotation: AcceptedAnnotation) -> bool:
        """Return whether its task or its project was deleted for good."""
        found = self._database.ask(
            "SELECT 1 FROM gone WHERE (kind, source, id) IN (VALUES (?, ?, ?), (?, ?, ?))",
            *(TASK, *annotation.task_key, PROJECT, *annotation.project_key),
        )
        return bool(found)

    def _undo_deletion(self, annotation: AcceptedAnnotation) -> None:
        """Undo the deletion of its task and its project: it is there after all."""
        self._database.connection.execute(
            "DELETE FROM gone WHERE (kind, source, id) IN (VALUES (?, ?, ?), (?, ?, ?))",
            (TASK, *annotation.task_key, PROJECT, *annotation.project_key),
        )

    def _is_news(self, annotation: AcceptedAnnotation, old: sqlite3.Row) -> bool:
        if annotation.updated_at != old["updated_at"]:
            return bool(annotation.updated_at > old["updated_at"])
        return bool(self.rejections(annotation.key))

    def _holds(self, annotation: AcceptedAnnotation, rejections: Sequence[Rejection]) -> bool:
        """Return whether exactly this is stored: the same rejections once more are no news."""
        key = annotation.key
        return self.annotation(key) == annotation and self.rejections(key) == [*rejections]

    def _write(self, annotation: AcceptedAnnotation, *, deleted: bool) -> None:
        change = self.change() + 1
        self._database.connection.execute("UPDATE counter SET change = ?", (change,))
        self._database.connection.execute(
            "INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                annotation.source,
                annotation.annotation_id,
                annotation.project,
                annotation.task,
                annotation.updated_at,
                annotation.annotator,
                annotation.ground_truth,
                annotation.cancelled,
                deleted,
                annotation.images_json(),
                change,
            ),
        )

    def _delete(self, key: AnnotationKey) -> bool:
        """Delete an annotation for good; return whether there was one."""
        old = self._find(key)
        if old is not None and old["deleted"]:
            return False
        task, project = (0, 0) if old is None else (old["task"], old["project"])
        self._write(AcceptedAnnotation(*key, task, project, EVER), deleted=True)
        self._database.connection.execute(
            "DELETE FROM rejected WHERE source = ? AND annotation = ?", key
        )
        return old is not None

    def _delete_all(self, kind: str, key: TaskKey | ProjectKey, *, for_good: bool = True) -> int:
        """Delete a task or project; return how many annotations it had.

        Unless it is deleted ``for_good``, another one may have its number.
        """
        database = self._database.connection
        where = f"WHERE source = ? AND {kind} = ?"  # the kinds are names of columns
        found = database.execute(
            f"SELECT source, annotation FROM annotations {where} AND NOT deleted",  # noqa: S608
            key,
        ).fetchall()
        for row in found:
            self._delete(AnnotationKey(*row))
        database.execute(f"DELETE FROM rejected {where}", key)  # noqa: S608
        if for_good:
            database.execute("INSERT OR IGNORE INTO gone VALUES (?, ?, ?)", (kind, *key))
        else:
            database.execute(
                "DELETE FROM gone WHERE kind = ? AND source = ? AND id = ?", (kind, *key)
            )
        return len(found)

    def _reject(self, annotation: AcceptedAnnotation, rejection: Rejection) -> None:
        self._database.connection.execute(
            "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                annotation.source,
                annotation.annotation_id,
                rejection.region_id,
                annotation.project,
                annotation.task,
                annotation.updated_at,
                rejection.code,
                rejection.detail,
            ),
        )
