"""Reads the settings and explains what is wrong with them."""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, ValidationError

from backend.settings.settings import Settings
from backend.settings.toml_file import SettingsError, config_file
from backend.settings.typos import PREFIX, suggestion, unknown_variables

OTHER_VARIABLES = ("CONFIG", "LABEL_STUDIO")
"""Names with our prefix that are not settings: the settings file, and the demo's Label Studio."""


def load(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` from the command line win unless they are None or empty.

    Raises:
        SettingsError: A value is unusable; the message names the variable and the reason.
    """
    given = {name: value for name, value in overrides.items() if value not in (None, "")}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(one) for one in error.errors())) from None
    except ValueError as error:  # invalid JSON for a list
        raise SettingsError(f"the settings cannot be read: {error}") from None


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    field = Settings.model_fields[name]
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + name.upper()


def typo_warnings(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a warning for each variable that has our prefix but is not a setting."""
    known = [variable(name) for name in Settings.model_fields]
    return unknown_variables([*known, *(PREFIX + name for name in OTHER_VARIABLES)], environment)


def _sentence(error: Mapping[str, Any]) -> str:
    place = error["loc"][0] if error["loc"] else None
    message = str(error["msg"]).removeprefix("Value error, ")
    if place is None:
        return message
    name = str(place)
    if error["type"] == "extra_forbidden":
        return _not_a_setting(name)
    fields = {variable(field).lower(): field for field in Settings.model_fields}
    field = fields.get(name.lower(), name)
    secret = "SecretStr" in str(Settings.model_fields[field].annotation)
    secret = secret or "@" in str(error["input"])  # a password may stand before it
    shown = "" if secret else f" is {error['input']!r}:"
    return f"{variable(field)}{shown} {message.replace('Input should', 'it should')}"


def _not_a_setting(name: str) -> str:
    """Explain an unknown name in the settings file; unknown variables only cause warnings."""
    bare = name.lower().removeprefix(PREFIX.lower())
    if bare in Settings.model_fields:
        return f"{config_file()}: {name} is not a setting: write {bare}, without the prefix"
    return f"{config_file()}: {name} is not a setting; {suggestion(name, Settings.model_fields)}"
