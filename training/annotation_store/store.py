"""Accepted annotations in one SQLite file, with image files beside it, named by their digest.

Each change is one transaction. The outcome depends neither on the order in which events arrive nor
on how often: only a later version of an annotation replaces it, and what was deleted, by itself or
with its task or project, stays deleted.
"""

import math
import os
import time
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from dynamite.files import replacing
from training.annotation_store.keys import AnnotationKey, ProjectKey, TaskKey
from training.annotation_store.rows import PROJECT, TASK, Rows
from training.annotation_store.values import AcceptedAnnotation, Rejection

UNUSED_IMAGE_SECONDS = 24 * 3600.0
"""How long an image without an annotation is kept: its annotation may be on its way."""


class Outcome(StrEnum):
    """What became of an annotation that was handed to the store."""

    STORED = "stored"
    NOT_NEWER = "an equal or later version is stored already"
    DELETED = "it has been deleted"


class AnnotationStore(Rows):
    """The store in ``folder``. Not for several threads at once; any number of processes may.

    Raises:
        StoreError: the store cannot be opened; every method raises it where reading or writing
            fails.
    """

    def __enter__(self) -> "AnnotationStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put_image(self, data: bytes) -> str:
        """Keep an image file; return its SHA-256, which names it."""
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
    ) -> Outcome:
        """Store an annotation, unless an equal or later version of it is stored.

        An equal version with rejections is stored again: their reason may be gone.

        Args:
            annotation: what to store.
            rejections: what of it could not be used.
            revive: the annotation is known to exist, so that a deletion is undone.
        """
        with self._database.transaction() as database:
            if refused := self.refusal(annotation, revive=revive):
                return refused
            if self._holds(annotation, rejections):
                return Outcome.NOT_NEWER
            self._undo_deletion(annotation)
            self._write(annotation, deleted=False)
            database.execute(
                "DELETE FROM rejected WHERE source = ? AND annotation = ?", annotation.key
            )
            for rejection in rejections:
                self._reject(annotation, rejection)
        return Outcome.STORED

    def refusal(self, annotation: AcceptedAnnotation, *, revive: bool = False) -> Outcome | None:
        """Return why ``apply`` would not store an annotation, whatever its images; else None."""
        old = self._find(annotation.key)
        deleted = old is not None and bool(old["deleted"])
        if not revive and (deleted or self._is_gone(annotation)):
            return Outcome.DELETED
        if old is None or deleted:
            return None
        return None if self._is_news(annotation, old) else Outcome.NOT_NEWER

    def set_aside(self, annotation: AcceptedAnnotation, rejection: Rejection) -> None:
        """List an annotation that cannot be stored; a version stored earlier stays."""
        with self._database.transaction() as database:
            old = self._find(annotation.key)
            if self._is_gone(annotation) or (old is not None and old["deleted"]):
                return
            database.execute(
                "DELETE FROM rejected WHERE source = ? AND annotation = ? AND region IS NULL",
                annotation.key,
            )
            self._reject(annotation, rejection)

    def delete(self, *keys: AnnotationKey) -> int:
        """Delete annotations for good, even if they arrive later; return how many were here."""
        with self._database.transaction():
            return sum(map(self._delete, keys))

    def delete_task(self, *keys: TaskKey) -> int:
        """Delete tasks for good; return how many annotations they had."""
        with self._database.transaction():
            return sum(self._delete_all(TASK, key) for key in keys)

    def delete_project(self, key: ProjectKey) -> int:
        """Delete a project for good; return how many annotations it had."""
        with self._database.transaction():
            return self._delete_all(PROJECT, key)

    def replace_project(self, key: ProjectKey) -> int:
        """Delete a project, but let another one have its number; return its annotation count."""
        with self._database.transaction():
            return self._delete_all(PROJECT, key, for_good=False)

    def note_trained(self, line: str, change: int) -> None:
        """Remember that a training of a line has seen all changes up to ``change``."""
        with self._database.transaction() as database:
            database.execute(
                "INSERT INTO trained VALUES (?, ?) ON CONFLICT (line) DO UPDATE "
                "SET change = max(change, excluded.change)",
                (line, change),
            )

    def remove_unused_images(self) -> int:
        """Delete old images that belong to no annotation; return how many."""
        used = {image.digest for annotation in self.annotations() for image in annotation.images}
        oldest = time.time() - UNUSED_IMAGE_SECONDS
        removed = 0
        for path in (self.folder / "images").glob("??/*"):
            if path.name not in used and _last_put(path) < oldest:
                path.unlink(missing_ok=True)  # at once, or it might be put here again meanwhile
                removed += 1
        return removed


def _last_put(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # a draft that has just got its name
        return math.inf
