"""The errors of this package. Each message says what was wrong, with the value, and what to do."""


class DynamiteError(Exception):
    """Base of all errors raised on purpose by this project."""


class InvalidInputError(DynamiteError, ValueError):
    """An image, a click or an argument is unusable."""


class CheckpointError(DynamiteError):
    """A checkpoint cannot be read or written, or does not fit the network."""
