"""Model versions in a shared folder: atomic publication, promotion by compare-and-set, rollback."""

from dynamite.registry.errors import MissingError, RegistryError, StaleError
from dynamite.registry.log import Current
from dynamite.registry.registry import Registry
from dynamite.registry.version import Description, Version

__all__ = [
    "Current",
    "Description",
    "MissingError",
    "Registry",
    "RegistryError",
    "StaleError",
    "Version",
]
