"""What can go wrong with versions of models."""

from dynamite.errors import DynamiteError


class RegistryError(DynamiteError):
    """The folder of model versions cannot be read or written, or has no such version."""


class StaleError(RegistryError):
    """Somebody else has changed which version is current, or has begun to, in the meantime."""
