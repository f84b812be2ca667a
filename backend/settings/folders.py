"""Where retraining keeps things."""

from contextlib import suppress
from pathlib import Path

from redis import Redis

from backend.settings import Settings
from dynamite.registry import Registry, RegistryError


def store_folder(settings: Settings) -> Path:
    """The annotation store; makes the folder it lies in, but not one that may be a share."""
    folder = retraining_folder(settings)
    if settings.retraining_dir is None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder / "annotations"


def snapshot_folder(settings: Settings) -> Path:
    """Snapshots of the store that trainings read."""
    return retraining_folder(settings) / "snapshots"


def run_folder(settings: Settings) -> Path:
    """Trainings that go on."""
    return retraining_folder(settings) / "runs"


def retraining_folder(settings: Settings) -> Path:
    """All of it but the models."""
    return (settings.retraining_dir or settings.state_dir / "retraining").resolve()


def models_folder(settings: Settings, line: str | None = None) -> Path:
    """The versions of a line of models, by default of the one served here."""
    base = settings.models_dir or settings.state_dir / "models"
    return base.resolve() / (line or settings.line)


def known_lines(settings: Settings) -> list[str]:
    """The lines of models that some project may train, or that have a folder."""
    base = models_folder(settings).parent
    found = {path.name for path in base.glob("[!.]*") if path.is_dir()}
    return sorted(found.union(settings.all_lines))


def has_begun(redis: "Redis", registry: Registry) -> bool:
    """Whether a registry has, or once had, an entry: empty, its share is not mounted."""
    known = f"dynamite:begun:{registry.folder}"
    with suppress(RegistryError):  # it is away
        if registry.current().number:
            redis.set(known, 1)
    return bool(redis.exists(known))


def open_registry(settings: Settings, line: str | None = None) -> Registry:
    """The registry of a line; makes its folder, but not one that may be a share to be mounted."""
    folder = models_folder(settings, line)
    if settings.models_dir is None:
        folder.mkdir(parents=True, exist_ok=True)
    return Registry(folder)
