"""What keeps an event for later."""

from dynamite.errors import DynamiteError


class TryLaterError(DynamiteError):
    """Something that is away may come back: the event is to be kept."""
