"""Rows of the store: what the steps of a transaction read and write."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from training.annotation_store.reading import Reading
from training.annotation_store.values import AcceptedAnnotation, Rejection

TASK, PROJECT = "task", "project"
"""What is gone for good, beside single annotations."""

EVER = "9999"
"""An update time after all others."""


class Rows(Reading):
    """The half of the store that writes, step by step."""

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # on a full disk SQLite itself rolls back
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _find(self, annotation_id: int) -> sqlite3.Row | None:
        rows = self._ask("SELECT * FROM annotations WHERE annotation = ?", annotation_id)
        return rows[0] if rows else None

    def _is_gone(self, annotation: AcceptedAnnotation) -> bool:
        found = self._ask(
            "SELECT 1 FROM gone WHERE (kind, id) IN (VALUES (?, ?), (?, ?))",
            *(TASK, annotation.task, PROJECT, annotation.project),
        )
        return bool(found)

    def _is_news(self, annotation: AcceptedAnnotation, old: sqlite3.Row) -> bool:
        if annotation.updated_at != old["updated_at"]:
            return bool(annotation.updated_at > old["updated_at"])
        return bool(self.rejections(annotation.annotation_id))

    def _holds(self, annotation: AcceptedAnnotation, rejections: Sequence[Rejection]) -> bool:
        """Whether it is here word for word: what is set aside again and again is no news."""
        number = annotation.annotation_id
        return self.annotation(number) == annotation and self.rejections(number) == [*rejections]

    def _write(self, annotation: AcceptedAnnotation, *, deleted: bool) -> None:
        change = self.change() + 1
        self._database.execute("UPDATE counter SET change = ?", (change,))
        self._database.execute(
            "INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
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

    def _forget(self, annotation_id: int) -> bool:
        old = self._find(annotation_id)
        if old is not None and old["deleted"]:
            return False
        task, project = (old["task"], old["project"]) if old is not None else (0, 0)
        self._write(AcceptedAnnotation(annotation_id, task, project, EVER), deleted=True)
        self._database.execute("DELETE FROM rejected WHERE annotation = ?", (annotation_id,))
        # Else a task would seem compared that Label Studio still has this one of. Of one never
        # stored the task is not known, nor needed: Label Studio counts more than are here.
        self._database.execute("DELETE FROM tasks WHERE task = ?", (task,))
        return old is not None

    def _reject(self, annotation: AcceptedAnnotation, rejection: Rejection) -> None:
        self._database.execute(
            "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                annotation.annotation_id,
                rejection.region_id,
                annotation.project,
                annotation.task,
                annotation.updated_at,
                rejection.code,
                rejection.detail,
            ),
        )
