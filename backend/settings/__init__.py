"""Every setting of the serving side: where values come from, what they mean, what they allow."""

from backend.settings.settings import (
    MEGABYTE,
    Settings,
    SettingsError,
    config_file,
    in_file,
    load,
    slips,
    variable,
)

__all__ = [
    "MEGABYTE",
    "Settings",
    "SettingsError",
    "config_file",
    "in_file",
    "load",
    "slips",
    "variable",
]
