"""What can go wrong with versions of models."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynamite.errors import DynamiteError


class RegistryError(DynamiteError):
    """The folder of model versions cannot be read or written at the moment."""


class MissingError(RegistryError):
    """The folder is there, but has no such version."""


class StaleError(RegistryError):
    """Somebody else has changed which version is current, or has begun to, in the meantime."""


@contextmanager
def as_registry_error(folder: Path) -> Iterator[None]:
    """What the system says of a folder of models, as ``RegistryError``."""
    try:
        yield
    except OSError as error:
        raise RegistryError(f"the folder of models {folder} fails: {error}") from error
