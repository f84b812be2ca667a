"""The errors of this package: each says what was wrong, with the value, and what to do."""


class DynamiteError(Exception):
    """Base of all errors raised on purpose by this project."""


class InvalidInputError(DynamiteError, ValueError):
    """An image, a click or an argument cannot be used as given."""


class CheckpointError(DynamiteError):
    """A checkpoint cannot be read, or does not fit the model it was asked for."""
