"""Copies a registry while others publish, promote and prune in it."""

import shutil
from pathlib import Path

from dynamite.errors import CheckpointError
from dynamite.registry.errors import RegistryError, as_registry_error
from dynamite.registry.registry import Registry

ATTEMPTS = 5
"""How often to begin again after the current version was pruned amid the copying."""


def copy_registry(folder: Path, target: Path) -> list[str]:
    """Copy the registry in ``folder`` to the empty folder ``target``, and check the copy.

    The log is copied first: the versions that it names were added before.

    Returns:
        The names of versions that are damaged and were left out.

    Raises:
        RegistryError: the registry cannot be read, or is of a newer format.
    """
    source, copy = Registry(folder), Registry(target)
    for _ in range(ATTEMPTS):
        with as_registry_error(folder):
            _copy_log(folder / "current", target / "current")
        damaged = [
            version.name
            for version in source.versions()
            if not _copy_version(version.folder, target / "versions" / version.name, copy)
        ]
        current = copy.current().version
        if current is None or current in damaged or (target / "versions" / current).is_dir():
            return damaged
    raise RegistryError(
        f"the current version of {folder} is missing: choose another one with `dynamite models "
        "promote`"
    )


def _copy_log(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("?????????.json"), reverse=True):
        try:
            shutil.copyfile(path, target / path.name)
        except FileNotFoundError:  # entries older than those kept are deleted
            continue


def _copy_version(source: Path, target: Path, copy: Registry) -> bool:
    """Whether a version is whole; one that is deleted meanwhile is left out."""
    if target.is_dir():
        return True
    try:
        shutil.copytree(source, target)
        copy.get(target.name).verify()
    except CheckpointError:
        shutil.rmtree(target, ignore_errors=True)
        return False
    except (OSError, shutil.Error, RegistryError):
        shutil.rmtree(target, ignore_errors=True)
        if source.is_dir():
            raise
    return True
