"""Every setting of the serving side: where values come from, what they mean, what is allowed."""

from backend.settings.loading import load, typo_warnings, variable
from backend.settings.settings import MEGABYTE, Settings
from backend.settings.toml_file import SettingsError, config_file, file_values

__all__ = [
    "MEGABYTE",
    "Settings",
    "SettingsError",
    "config_file",
    "file_values",
    "load",
    "typo_warnings",
    "variable",
]
