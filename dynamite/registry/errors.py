"""Errors of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynamite.errors import DynamiteError


class RegistryError(DynamiteError):
    """The folder of model versions cannot be read or written."""


class MissingError(RegistryError):
    """The folder exists, but has no such version."""


class StaleError(RegistryError):
    """Another process has changed, or begun to change, the current version in the meantime."""


@contextmanager
def as_registry_error(folder: Path) -> Iterator[None]:
    """Turn ``OSError`` on a folder of models into ``RegistryError``."""
    try:
        yield
    except OSError as error:
        raise RegistryError(f"the folder of models {folder} cannot be used: {error}") from error
