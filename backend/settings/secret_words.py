"""The words among the settings that no log, page or error may show."""

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from backend.settings.settings import Settings

SHORTEST = 6
"""A shorter word is a part of too many others."""


def secret_words(settings: Settings) -> set[str]:
    """Return every secret; of a URL its password, as it is written there and as it is meant."""
    words = set()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr):
            continue
        text = value.get_secret_value()
        if "://" in text:
            text = urlsplit(text).password or ""
        words |= {text, unquote(text)}
    return {word for word in words if len(word) >= SHORTEST}


def masked(text: str, words: Iterable[str]) -> str:
    """Return a text without secret words, wherever they stand.

    >>> masked("GET /k/hush", ["hush"])
    'GET /k/…'
    """
    for word in sorted(filter(None, words), key=len, reverse=True):
        text = text.replace(word, "…")
    return text
