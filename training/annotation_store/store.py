"""Accepted annotations in one SQLite file, image bytes beside it by the digest of their content.

Each event is one transaction. What it changes does not depend on the order in which events arrive,
nor on how often: an annotation is replaced only by a later version of itself, and one that was
deleted stays so.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from hashlib import sha256
from typing import Any

from dynamite.files import replacing
from training.annotation_store.reading import Reading
from training.annotation_store.schema import StoreError
from training.annotation_store.values import (
    AcceptedAnnotation,
    Rejection,
)

__all__ = ["AnnotationStore", "Applied", "StoreError"]

EVER = "9999"
"""An update time after all others."""


class Applied(StrEnum):
    """What became of an annotation."""

    STORED = "stored"
    OLD = "an equal or later version is stored already"
    DELETED = "it has been deleted"


class AnnotationStore(Reading):
    """The store in ``folder``. Not for several threads at once; any number of processes may."""

    def __enter__(self) -> "AnnotationStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put_image(self, data: bytes) -> str:
        """Keep an image file; returns the SHA-256 that names it."""
        digest = sha256(data).hexdigest()
        path = self.image_path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as draft:
                draft.write_bytes(data)
        return digest

    def apply(
        self,
        annotation: AcceptedAnnotation,
        rejections: Sequence[Rejection] = (),
        *,
        revive: bool = False,
    ) -> Applied:
        """Keep an annotation, unless an equal or later version of it is here.

        An equal version of which something was set aside is taken again: the reason may be gone.
        ``revive``: Label Studio has just been asked and has it, so that a deletion is forgotten.
        """
        with self._transaction() as database:
            if refused := self.refusal(annotation, revive=revive):
                return refused
            self._write(annotation, deleted=False)
            database.execute(
                "DELETE FROM rejected WHERE annotation = ?", (annotation.annotation_id,)
            )
            database.executemany(
                "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        annotation.annotation_id,
                        rejection.region_id,
                        annotation.project,
                        annotation.task,
                        annotation.updated_at,
                        rejection.code,
                        rejection.detail,
                    )
                    for rejection in rejections
                ],
            )
        return Applied.STORED

    def delete(self, annotation_id: int) -> bool:
        """Forget an annotation for good, also if it arrives later; whether it had been here."""
        with self._transaction() as database:
            old = self._find(annotation_id)
            if old is not None and old["deleted"]:
                return False
            task, project = (old["task"], old["project"]) if old is not None else (0, 0)
            empty = AcceptedAnnotation(annotation_id, task, project, EVER)
            self._write(empty, deleted=True)
            database.execute("DELETE FROM rejected WHERE annotation = ?", (annotation_id,))
        return old is not None

    def delete_task(self, task: int) -> int:
        """Forget all annotations of a task; how many there were."""
        return sum(self.delete(annotation) for annotation in self.annotations_of(task))

    def delete_project(self, project: int) -> int:
        """Forget all annotations of a project; how many there were."""
        rows = self._database.execute(
            "SELECT annotation FROM annotations WHERE project = ? AND NOT deleted", (project,)
        ).fetchall()
        return sum(self.delete(row[0]) for row in rows)

    def wait(self, event: dict[str, Any], reason: str) -> None:
        """Keep an event that cannot be dealt with now, to be tried again."""
        with self._transaction() as database:
            text = json.dumps(event, sort_keys=True)
            database.execute("INSERT OR REPLACE INTO waiting VALUES (?, ?)", (text, reason))

    def stop_waiting(self, event: dict[str, Any]) -> None:
        """Forget an event kept: it has been dealt with."""
        with self._transaction() as database:
            text = json.dumps(event, sort_keys=True)
            database.execute("DELETE FROM waiting WHERE event = ?", (text,))

    def note_task(self, task: int, project: int, state: str) -> None:
        """Remember the state of a task when it was compared with Label Studio."""
        with self._transaction() as database:
            values = (task, project, state)
            database.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)", values)

    def note_trained(self, line: str, change: int) -> None:
        """Remember that a training of a line has seen all changes up to ``change``."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO trained VALUES (?, ?) ON CONFLICT (line) DO UPDATE "
                "SET change = max(change, excluded.change)",
                (line, change),
            )

    def remove_unused_images(self) -> int:
        """Delete the images of no annotation; how many."""
        used = {image.digest for annotation in self.annotations() for image in annotation.images}
        unused = [path for path in (self.folder / "images").glob("??/*") if path.name not in used]
        for path in unused:
            path.unlink(missing_ok=True)
        return len(unused)

    def refusal(self, annotation: AcceptedAnnotation, *, revive: bool = False) -> Applied | None:
        """Why ``apply`` would not keep an annotation, whatever its images; None if it would."""
        old = self._find(annotation.annotation_id)
        if old is None:
            return None
        if old["deleted"]:
            return None if revive else Applied.DELETED
        return None if self._is_news(annotation, old) else Applied.OLD

    def _is_news(self, annotation: AcceptedAnnotation, old: sqlite3.Row) -> bool:
        if annotation.updated_at != old["updated_at"]:
            return bool(annotation.updated_at > old["updated_at"])
        set_aside = self._database.execute(
            "SELECT 1 FROM rejected WHERE annotation = ?", (annotation.annotation_id,)
        ).fetchone()
        return set_aside is not None

    def _find(self, annotation_id: int) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._database.execute(
            "SELECT * FROM annotations WHERE annotation = ?", (annotation_id,)
        ).fetchone()
        return found

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

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"the annotation store in {self.folder} fails: {error}") from error
