"""Copies a store while others write to it."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from training.annotation_store.database import WAIT_SECONDS, StoreError
from training.annotation_store.schema import FILE
from training.annotation_store.store import AnnotationStore
from training.progress import track

BAR_FROM = 200
"""Number of images whose copying shows a bar."""


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite file as it is at one moment, while others write to it, and check the copy.

    Raises:
        StoreError: the file is missing or damaged, or the copy cannot be written.
    """
    try:
        address = f"{source.resolve().as_uri()}?mode=rw"  # never create it
        live = sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)
        with closing(live), closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
            (found,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be copied: {error}") from error
    if found != "ok":
        raise StoreError(f"{source} is damaged ({found}): restore it from an earlier backup")


def copy_store(folder: Path, target: Path) -> list[str]:
    """Copy the store in ``folder`` to the empty folder ``target``, and check the copy.

    An image that is removed meanwhile belongs to an annotation that was deleted meanwhile: the
    database is copied again then.

    Returns:
        The digests of images that the store itself lacks, or that are damaged there.

    Raises:
        StoreError: the store cannot be read, is of a newer format, or the copy cannot be written.
    """
    before: list[str] | None = None
    while True:
        copy_database(folder / FILE, target / FILE)
        with AnnotationStore(target) as copy:
            used = {image.digest for one in copy.annotations() for image in one.images}
            images = track(sorted(used), "images", least=BAR_FROM)
            lacking = [digest for digest in images if not _copy(digest, folder, copy)]
        if not lacking or lacking == before:
            _remove_others(target / "images", used)
            return lacking
        before = lacking


def _copy(digest: str, folder: Path, copy: AnnotationStore) -> bool:
    """Whether the copy has the image now, and it is the one that was accepted."""
    path = copy.image_path(digest)
    if path.is_file():
        return True
    try:
        data = (folder / path.relative_to(copy.folder)).read_bytes()
    except FileNotFoundError:
        return False
    return sha256(data).hexdigest() == digest and copy.put_image(data) == digest


def _remove_others(images: Path, used: set[str]) -> None:
    """Remove images of annotations that were deleted while the store was copied."""
    for path in images.glob("??/*"):
        if path.name not in used:
            path.unlink()
