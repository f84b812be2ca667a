"""Accepted annotations in one SQLite file, image bytes beside it by the digest of their content.

Each change is one transaction. Its outcome does not depend on the order in which events arrive,
nor on how often: an annotation is replaced only by a later version of itself, and what was deleted,
by itself or with its task or project, stays so.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from dynamite.files import replacing
from training.annotation_store.rows import PROJECT, TASK, Rows
from training.annotation_store.schema import StoreError
from training.annotation_store.values import AcceptedAnnotation, Rejection

__all__ = ["AnnotationStore", "Applied", "StoreError"]

IMAGE_SECONDS = 24 * 3600.0
"""An image of no annotation is kept so long: its annotation may be on its way."""


class Applied(StrEnum):
    """What became of an annotation."""

    STORED = "stored"
    OLD = "an equal or later version is stored already"
    DELETED = "it has been deleted"


class AnnotationStore(Rows):
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
        try:
            os.utime(path)  # it is there, and in use again
        except FileNotFoundError:
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
            if self._holds(annotation, rejections):
                return Applied.OLD
            database.execute(
                "DELETE FROM gone WHERE (kind, id) IN (VALUES (?, ?), (?, ?))",
                (TASK, annotation.task, PROJECT, annotation.project),
            )
            self._write(annotation, deleted=False)
            database.execute(
                "DELETE FROM rejected WHERE annotation = ?", (annotation.annotation_id,)
            )
            for rejection in rejections:
                self._reject(annotation, rejection)
        return Applied.STORED

    def set_aside(self, annotation: AcceptedAnnotation, rejection: Rejection) -> None:
        """List an annotation that cannot be kept, and only that: an earlier version of it stays."""
        with self._transaction() as database:
            old = self._find(annotation.annotation_id)
            if self._is_gone(annotation) or (old is not None and old["deleted"]):
                return
            database.execute(
                "DELETE FROM rejected WHERE annotation = ? AND region IS NULL",
                (annotation.annotation_id,),
            )
            self._reject(annotation, rejection)

    def delete(self, annotation_id: int) -> bool:
        """Forget an annotation for good, also if it arrives later; whether it had been here."""
        with self._transaction():
            return self._forget(annotation_id)

    def delete_task(self, task: int) -> int:
        """Forget a task for good; how many annotations it had."""
        return self._delete_all(TASK, task)

    def delete_project(self, project: int) -> int:
        """Forget a project for good; how many annotations it had."""
        return self._delete_all(PROJECT, project)

    def _delete_all(self, kind: str, number: int) -> int:
        where = f"WHERE {kind} = ?"  # the kinds are names of columns
        with self._transaction() as database:
            found = database.execute(
                f"SELECT annotation FROM annotations {where} AND NOT deleted",  # noqa: S608
                (number,),
            ).fetchall()
            for (annotation_id,) in found:
                self._forget(annotation_id)
            for table in ("rejected", "tasks"):
                database.execute(f"DELETE FROM {table} {where}", (number,))  # noqa: S608
            database.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (kind, number))
        return len(found)

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

    def note_identity(self, project: int, created_at: str) -> None:
        """Remember when a project was made, unless that is known."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO projects VALUES (?, ?)", (project, created_at))

    def note_site(self, url: str) -> None:
        """Remember an address at which a project of this store has been seen."""
        if url not in self.sites():
            with self._transaction() as database:
                database.execute("INSERT OR IGNORE INTO sites VALUES (?)", (url,))

    def replace_project(self, project: int) -> int:
        """Forget a project, so that another can have its number; how many annotations it had."""
        count = self.delete_project(project)
        with self._transaction() as database:
            database.execute("DELETE FROM projects WHERE project = ?", (project,))
            database.execute("DELETE FROM gone WHERE kind = ? AND id = ?", (PROJECT, project))
        return count

    def note_trained(self, line: str, change: int) -> None:
        """Remember that a training of a line has seen all changes up to ``change``."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO trained VALUES (?, ?) ON CONFLICT (line) DO UPDATE "
                "SET change = max(change, excluded.change)",
                (line, change),
            )

    def remove_unused_images(self) -> int:
        """Delete the images that are of no annotation and were put here long ago; how many."""
        used = {image.digest for annotation in self.annotations() for image in annotation.images}
        late = time.time() - IMAGE_SECONDS
        removed = 0
        for path in (self.folder / "images").glob("??/*"):
            if path.name not in used and _last_put(path) < late:
                path.unlink(missing_ok=True)  # at once, or it might be put here again meanwhile
                removed += 1
        return removed

    def refusal(self, annotation: AcceptedAnnotation, *, revive: bool = False) -> Applied | None:
        """Why ``apply`` would not keep an annotation, whatever its images; None if it would."""
        old = self._find(annotation.annotation_id)
        deleted = old is not None and bool(old["deleted"])
        if not revive and (deleted or self._is_gone(annotation)):
            return Applied.DELETED
        if old is None or deleted:
            return None
        return None if self._is_news(annotation, old) else Applied.OLD


def _last_put(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # a draft that has just got its name
        return math.inf
