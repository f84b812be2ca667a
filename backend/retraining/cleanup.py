"""Removes data that nothing refers to.

Never the current model, its parent or the version that a rollback returns to.
"""

from pathlib import Path

from redis import Redis

from backend.retraining.training_queue import is_training
from backend.settings import Settings
from backend.settings.folders import (
    known_lines,
    open_registry,
    run_folder,
    snapshot_folder,
)
from dynamite.files import discard_older, last_changed
from dynamite.registry import RegistryError
from training.annotation_store import AnnotationStore

SNAPSHOTS = 3
"""Newest snapshots kept for a while; while a training is on its way, all are kept."""

SNAPSHOT_SECONDS = 3600.0
"""A snapshot this young is kept: the training on it may not be in the queue yet."""

RUN_SECONDS = 7 * 24 * 3600.0
"""A failed training can be continued for this long after its last step."""


def clean_up(settings: Settings, store: AnnotationStore, redis: Redis) -> str:
    """Remove what is not needed; return how much, in words."""
    lines = known_lines(settings)
    versions = 0
    for line in lines:
        try:
            versions += len(open_registry(settings, line).prune(settings.keep_versions))
        except RegistryError:
            continue  # the share is away: another time
    images = store.remove_unused_images()
    if any(is_training(redis, line) for line in lines):
        return f"{versions} versions, {images} images removed; a training is on its way"
    taken = oldest_first(snapshot_folder(settings))
    older, newest = taken[:-SNAPSHOTS], taken[-SNAPSHOTS:]
    snapshots = discard_older(older, SNAPSHOT_SECONDS, last_changed)  # its images are the store's
    # They hold what has been deleted since, and can be taken again.
    snapshots += discard_older(newest, RUN_SECONDS, last_changed)
    runs = discard_older(oldest_first(run_folder(settings)), RUN_SECONDS)
    for folder in (snapshot_folder(settings), run_folder(settings)):
        discard_older(folders(folder, ".*"), RUN_SECONDS)  # half written or half removed
    told = f"{snapshots} snapshots, {runs} runs"
    return f"{versions} versions, {images} images, {told} removed"


def folders(folder: Path, names: str = "[!.]*") -> list[Path]:
    """Return the folders in a folder, which may not exist. Hidden ones are incomplete."""
    return [path for path in folder.glob(names) if path.is_dir()] if folder.is_dir() else []


def oldest_first(folder: Path) -> list[Path]:
    """Return the folders in a folder, the one changed longest ago first."""
    return sorted(folders(folder), key=last_changed)
