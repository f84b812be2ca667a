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
from pathlib import Path
from typing import Any

from dynamite.files import replacing
from training.annotation_store.schema import StoreError, connect
from training.annotation_store.values import (
    AcceptedAnnotation,
    Rejection,
    images_from_json,
)

__all__ = ["AnnotationStore", "Applied", "StoreError"]

EVER = "9999"
"""An update time after all others."""


class Applied(StrEnum):
    """What became of an annotation."""

    STORED = "stored"
    OLD = "an equal or later version is stored already"
    DELETED = "it has been deleted"


class AnnotationStore:
    """The store in ``folder``. Not for several threads at once; any number of processes may."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._database = connect(folder / "annotations.sqlite")

    def __enter__(self) -> "AnnotationStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Writing

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
            old = self._find(annotation.annotation_id)
            if old is not None:
                if old["deleted"] and not revive:
                    return Applied.DELETED
                if not old["deleted"] and not self._is_news(annotation, old):
                    return Applied.OLD
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

    def note_task(self, task: int, project: int, updated_at: str) -> None:
        """Remember how new a task was when it was compared with Label Studio."""
        with self._transaction() as database:
            values = (task, project, updated_at)
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

    # Reading

    def image_path(self, digest: str) -> Path:
        """Where the image of that digest is."""
        return self.folder / "images" / digest[:2] / digest

    def annotations(self, projects: Sequence[int] | None = None) -> list[AcceptedAnnotation]:
        """All that are not deleted, of some projects or of all, by id."""
        rows = self._database.execute("SELECT * FROM annotations WHERE NOT deleted ORDER BY 1")
        return [
            AcceptedAnnotation(
                annotation_id=row["annotation"],
                task=row["task"],
                project=row["project"],
                updated_at=row["updated_at"],
                annotator=row["annotator"],
                ground_truth=bool(row["ground_truth"]),
                cancelled=bool(row["cancelled"]),
                images=images_from_json(row["images"]),
            )
            for row in rows
            if projects is None or row["project"] in projects
        ]

    def annotations_of(self, task: int) -> list[int]:
        """The ids of a task's annotations."""
        rows = self._database.execute(
            "SELECT annotation FROM annotations WHERE task = ? AND NOT deleted", (task,)
        )
        return [row[0] for row in rows]

    def projects(self) -> list[int]:
        """The projects that something was accepted in."""
        rows = self._database.execute(
            "SELECT DISTINCT project FROM annotations WHERE NOT deleted ORDER BY 1"
        )
        return [row[0] for row in rows]

    def tasks(self, project: int) -> dict[int, str]:
        """How new each task of a project was when it was last compared with Label Studio."""
        rows = self._database.execute(
            "SELECT task, updated_at FROM tasks WHERE project = ?", (project,)
        )
        return {row[0]: row[1] for row in rows}

    def rejected(self) -> list[dict[str, Any]]:
        """What was set aside: annotation, region, project, task, updated_at, code, detail."""
        rows = self._database.execute("SELECT * FROM rejected ORDER BY annotation, region")
        return [dict(row) for row in rows]

    def waiting(self) -> list[tuple[dict[str, Any], str]]:
        """The events kept to be tried again, each with the reason."""
        rows = self._database.execute("SELECT event, reason FROM waiting ORDER BY rowid")
        return [(json.loads(row[0]), row[1]) for row in rows]

    def change(self) -> int:
        """The number of the last change; changes count from 1."""
        return int(self._database.execute("SELECT change FROM counter").fetchone()[0])

    def new_since_training(self, line: str, projects: Sequence[int]) -> int:
        """How many annotations that count changed since the last training of a line."""
        row = self._database.execute(
            "SELECT change FROM trained WHERE line = ?", (line,)
        ).fetchone()
        rows = self._database.execute(
            "SELECT project FROM annotations "
            "WHERE change > ? AND NOT deleted AND NOT cancelled AND images != '[]'",
            (row[0] if row else 0,),
        )
        return sum(found[0] in projects for found in rows)

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
