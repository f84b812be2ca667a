"""The settings file: ``dynamite.toml`` in the working directory, or the one in DYNAMITE_CONFIG."""

import os
import tomllib
from pathlib import Path
from typing import Any

from backend.settings.typos import PREFIX
from dynamite.errors import DynamiteError


class SettingsError(DynamiteError):
    """A setting has an unusable value."""


def config_file() -> Path | None:
    """Return the path of the settings file; None if there is none.

    Raises:
        SettingsError: DYNAMITE_CONFIG names a file that does not exist.
    """
    named = os.environ.get(PREFIX + "CONFIG")
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{PREFIX}CONFIG names {named}, which is not a file")
        return Path(named)
    here = Path("dynamite.toml")
    return here if here.is_file() else None


def file_values() -> dict[str, Any]:
    """Return the values in the settings file, without empty ones.

    Raises:
        SettingsError: The file is missing or is not TOML.
    """
    path = config_file()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return {name: value for name, value in values.items() if value != ""}
