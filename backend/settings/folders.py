"""Folders of annotations, snapshots, training runs and models."""

from contextlib import suppress
from pathlib import Path

from redis import Redis

from backend.settings import Settings
from dynamite.registry import Registry, RegistryError


def store_folder(settings: Settings) -> Path:
    """Return the annotation store; make its parent unless that may be an unmounted share."""
    folder = retraining_folder(settings)
    if settings.retraining_dir is None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder / "annotations"


def snapshot_folder(settings: Settings) -> Path:
    """Return the folder for snapshots of the store, which trainings read."""
    return retraining_folder(settings) / "snapshots"


def run_folder(settings: Settings) -> Path:
    """Return the folder for running trainings."""
    return retraining_folder(settings) / "runs"


def retraining_folder(settings: Settings) -> Path:
    """Return the folder for everything about retraining but the models."""
    return (settings.retraining_dir or settings.state_dir / "retraining").resolve()


def models_folder(settings: Settings, line: str | None = None) -> Path:
    """Return the folder for the versions of a model line; by default the line served here."""
    base = settings.models_dir or settings.state_dir / "models"
    return base.resolve() / (line or settings.line)


def memory_folder(settings: Settings) -> Path:
    """Return the folder of the project memories for the line served here."""
    models = models_folder(settings)
    return models.with_name(f".{models.name}-memory")  # hidden, because it is no line


def descriptions_folder(settings: Settings) -> Path:
    """Return the folder that describes projects' objects for the line served here."""
    models = models_folder(settings)
    return models.with_name(f".{models.name}-descriptions")  # hidden, because it is no line


def known_lines(settings: Settings) -> list[str]:
    """Return the model lines that a project may train or that have a folder."""
    base = models_folder(settings).parent
    found = {path.name for path in base.glob("[!.]*") if path.is_dir()}
    return sorted(found.union(settings.all_lines))


def has_begun(redis: Redis, registry: Registry) -> bool:
    """Return whether a registry has an entry or had one, if its share is not mounted now."""
    known = f"dynamite:begun:{registry.folder}"
    with suppress(RegistryError):  # its share is not mounted
        if registry.current().number:
            redis.set(known, 1)
    return bool(redis.exists(known))


def open_registry(settings: Settings, line: str | None = None) -> Registry:
    """Open the registry of a line; make its folder unless that may be an unmounted share."""
    folder = models_folder(settings, line)
    if settings.models_dir is None:
        folder.mkdir(parents=True, exist_ok=True)
    return Registry(folder)
