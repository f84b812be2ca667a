"""Backups of what cannot be made again: accepted annotations and published models.

A backup is a folder: ``annotations/`` (the store), ``bookkeeping/`` (a file for each Label Studio),
``models/`` (a registry for each line) and a manifest with the digests of all files. Memories of
projects are not in it: they are learned again from the annotations.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.settings import Settings
from backend.settings.folders import (
    descriptions_folder,
    memory_folder,
    models_folder,
    open_registry,
    retraining_folder,
    store_folder,
)
from dynamite.errors import DynamiteError
from dynamite.files import new_folder
from dynamite.manifest import check_manifest, write_manifest
from dynamite.registry import Registry
from dynamite.registry.backup import copy_registry
from training.annotation_store import AnnotationStore, copy_database, copy_store, is_there
from training.memory.kept import KeptMemories
from training.proposing.kept import KeptDescriptions

STORE, BOOKKEEPING, MODELS = "annotations", "bookkeeping", "models"


class BackupError(DynamiteError):
    """There is nothing to back up, or something would be overwritten."""


def back_up(settings: Settings, target: Path) -> list[str]:
    """Write a backup to a new folder, while everything runs; it is there whole or not at all.

    Returns:
        What is damaged and was left out, a sentence each.

    Raises:
        FileExistsError: ``target`` exists.
        DynamiteError: there is nothing to back up, or it cannot be read.
    """
    with new_folder(target) as draft:
        lost = [*_back_up_store(settings, draft), *_back_up_models(settings, draft)]
        if not write_manifest(draft):
            raise BackupError("nothing has been accepted or published yet: nothing to back up")
        os.sync()
    return lost


def _back_up_store(settings: Settings, draft: Path) -> Iterator[str]:
    store = store_folder(settings)
    if is_there(store):
        (draft / STORE).mkdir()
        for digest in copy_store(store, draft / STORE):
            yield f"the image {digest} of an annotation is missing or damaged in {store}"
    for path in sorted(store.parent.glob("*.sqlite")):
        (draft / BOOKKEEPING).mkdir(exist_ok=True)
        copy_database(path, draft / BOOKKEEPING / path.name)


def _back_up_models(settings: Settings, draft: Path) -> Iterator[str]:
    base = models_folder(settings).parent
    for line in sorted(path for path in base.glob("[!.]*") if _holds_files(path)):
        (draft / MODELS).mkdir(exist_ok=True)
        for name in copy_registry(line, draft / MODELS / line.name):
            yield f"version {name} is missing or damaged in {line}"


def restore(settings: Settings, source: Path) -> None:
    """Put back what a backup holds, while everything runs. Nothing is overwritten.

    Raises:
        DynamiteError: the backup is damaged or of a newer format, or something is there already;
            nothing has changed then.
    """
    check_manifest(source)
    parts = [*_parts(settings, source)]
    for _, target in parts:
        if _holds_files(target):
            raise BackupError(f"{target} is there, and nothing is overwritten: move it away first")
    with _copies(parts) as copies:
        for (part, target), copy in zip(parts, copies, strict=True):
            _check(part.relative_to(source).parts[0], copy)
            _remove_empty(target)
        for (_, target), copy in zip(parts, copies, strict=True):
            copy.rename(target)
        _forget_memories(settings)
        os.sync()


def _parts(settings: Settings, source: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each part of a backup and where it belongs; the store comes last."""
    for line in sorted((source / MODELS).glob("*")):
        yield line, open_registry(settings, line.name).folder
    for path in sorted((source / BOOKKEEPING).glob("*.sqlite")):
        yield path, retraining_folder(settings) / path.name
    if (source / STORE).is_dir():
        yield source / STORE, store_folder(settings)


def _forget_memories(settings: Settings) -> None:
    """Remove memories and descriptions: they are of the annotations that were here before."""
    memories = KeptMemories(memory_folder(settings))
    for project in memories.projects():
        memories.forget(project)
    descriptions = KeptDescriptions(descriptions_folder(settings))
    for project in list(descriptions.projects()):
        descriptions.forget(project)


@contextmanager
def _copies(parts: list[tuple[Path, Path]]) -> Iterator[list[Path]]:
    """Yield a copy of each part, beside its place."""
    mark = secrets.token_hex(4)
    copies = [target.with_name(f".{target.name}.{mark}.part") for _, target in parts]
    try:
        for (part, _), copy in zip(parts, copies, strict=True):
            (shutil.copytree if part.is_dir() else shutil.copyfile)(part, copy)
        yield copies
    finally:
        for copy in copies:
            shutil.rmtree(copy, ignore_errors=True)
            if copy.is_file():
                copy.unlink()


def _check(kind: str, copy: Path) -> None:
    """Check that this release can read a part."""
    if kind == STORE:
        AnnotationStore(copy).close()
    elif kind == MODELS:
        Registry(copy).current()


def _holds_files(path: Path) -> bool:
    return path.is_file() or any(one.is_file() for one in path.rglob("*"))


def _remove_empty(target: Path) -> None:
    """Remove the empty folders that a running backend makes."""
    for folder in sorted(target.rglob("*"), reverse=True):
        folder.rmdir()
    if target.is_dir():
        target.rmdir()
