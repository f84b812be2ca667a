"""Model versions in a shared folder: published whole, promoted by compare-and-set, rolled back."""

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
