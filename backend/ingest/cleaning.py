"""What nothing needs any more goes; the current model, its parent and the way back never do."""

import shutil
import time
from pathlib import Path

from backend.ingest.context import Context
from backend.retraining.places import (
    models_folder,
    open_registry,
    run_folder,
    snapshot_folder,
)
from backend.retraining.requests import is_training
from dynamite.registry import RegistryError

SNAPSHOTS = 3
"""Newest snapshots kept; a training on its way keeps them all."""

RUN_SECONDS = 7 * 24 * 3600.0
"""A training that failed can be gone on with for so long after its last step."""


def clean_up(context: Context) -> str:
    """Remove what is not needed; how much, in words."""
    settings = context.settings
    published = {path.name for path in folders(models_folder(settings).parent)}
    lines = sorted(published.union(settings.all_lines))
    versions = 0
    for line in lines:
        try:
            versions += len(open_registry(settings, line).prune(settings.keep_versions))
        except RegistryError:
            continue  # the share is away: another time
    images = context.store.remove_unused_images()
    if any(is_training(context.redis, line) for line in lines):
        return f"{versions} versions, {images} images removed; a training is on its way"
    snapshots = oldest_first(snapshot_folder(settings))[:-SNAPSHOTS]
    late = time.time() - RUN_SECONDS
    runs = [path for path in oldest_first(run_folder(settings)) if last_touched(path) < late]
    for path in [*snapshots, *runs]:
        shutil.rmtree(path, ignore_errors=True)
    told = f"{len(snapshots)} snapshots, {len(runs)} runs"
    return f"{versions} versions, {images} images, {told} removed"


def folders(folder: Path) -> list[Path]:
    """The folders in a folder that may not be there."""
    return [path for path in folder.glob("*") if path.is_dir()] if folder.is_dir() else []


def oldest_first(folder: Path) -> list[Path]:
    """Its folders in the order they were last changed."""
    return sorted(folders(folder), key=lambda path: path.stat().st_mtime)


def last_touched(folder: Path) -> float:
    """When something in a folder was last written, in seconds."""
    return max(path.stat().st_mtime for path in [folder, *folder.rglob("*")])
