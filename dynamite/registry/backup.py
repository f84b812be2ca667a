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
        The names of versions that are damaged, or missing though one is current.

    Raises:
        RegistryError: the registry cannot be read, or is of a newer format.
    """
    copy = Registry(target)
    lost: list[str] = []
    for _ in range(ATTEMPTS):
        with as_registry_error(folder):
            _copy_log(folder / "current", target / "current")
            versions = sorted((folder / "versions").glob("[!.]*"))
        lost = [path.name for path in versions if not _copy_version(path, copy)]
        current = copy.current().version
        if current is None or current in lost or (target / "versions" / current).is_dir():
            return lost
        lost.append(current)  # pruned meanwhile, or gone for good
    return lost


def _copy_log(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("?????????.json"), reverse=True):
        try:
            shutil.copyfile(path, target / path.name)
        except FileNotFoundError:  # entries older than those kept are deleted
            continue


def _copy_version(source: Path, copy: Registry) -> bool:
    """Whether a version is whole; one that is deleted meanwhile is left out."""
    target = copy.folder / "versions" / source.name
    if target.is_dir():
        return True
    try:
        shutil.copytree(source, target)
        copy.get(source.name).verify()
    except (CheckpointError, RegistryError, OSError) as error:  # shutil.Error is an OSError
        shutil.rmtree(target, ignore_errors=True)
        if source.is_dir() and isinstance(error, OSError):
            raise
        return not source.is_dir()
    return True
