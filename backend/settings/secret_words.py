"""The words among the settings that no log may show."""

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
