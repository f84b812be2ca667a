"""How a process logs, as its settings say; also told to the processes of jobs."""

from typing import Literal, TypedDict

from backend.settings.secret_words import secret_words
from backend.settings.settings import Settings


class LogOptions(TypedDict):
    """The arguments of ``backend.logs.log_from``, which can be written as JSON."""

    level: str
    secrets: list[str]
    form: Literal["text", "json"]


def log_options(settings: Settings) -> LogOptions:
    """Return how to log."""
    secrets = sorted(secret_words(settings))
    return {"level": settings.log_level, "secrets": secrets, "form": settings.log_format}
