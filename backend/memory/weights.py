"""Which weights answer clicks at the moment: memories are learned from them."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from backend.settings import Settings
from backend.settings.folders import open_registry
from dynamite.json_text import read_json


def current_weights(settings: Settings) -> tuple[str, Path | None]:
    """Return a name of the current weights, and the file of a published version.

    The file is None while the configured or shipped weights are served. Torch is not loaded.

    Raises:
        RegistryError: the registry cannot be read.
    """
    registry = open_registry(settings)
    name = registry.current().version
    if name is not None:
        return name, registry.get(name).weights
    return _stated_version(settings), None


def _stated_version(settings: Settings) -> str:
    """Return the version that the served file states; published files state none."""
    import dynamite  # noqa: PLC0415

    shipped = Path(dynamite.__file__).parent / "weights" / f"{settings.preset}.safetensors"
    path = settings.checkpoint or shipped
    try:
        with safe_open(path, framework="numpy") as file:
            return str(read_json((file.metadata() or {})["version"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return f"{settings.preset} of {path.name}"
