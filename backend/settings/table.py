"""The table of all settings: value, source and meaning, with secrets hidden."""

import os
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, BaseModel, SecretStr

from backend.settings import Settings, file_values, variable
from backend.settings.cvat import CvatSettings
from backend.settings.retraining import RetrainingSettings


class Row(BaseModel):
    """A row of ``dynamite settings``."""

    name: str
    value: str
    source: Literal["environment", "file", "default"]
    meaning: str


def rows(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[Row]:
    """Return a row per setting, then those of CVAT, those of retraining last."""
    file = file_values()
    in_environment = {key.upper() for key, value in environment.items() if value}
    table = []

    def place(name: str) -> tuple[bool, bool]:
        return name in RetrainingSettings.model_fields, name in CvatSettings.model_fields

    for name in sorted(Settings.model_fields, key=place):
        field = Settings.model_fields[name]
        source: Literal["environment", "file", "default"] = "default"
        if variable(name).upper() in in_environment:
            source = "environment"
        elif name in file:
            source = "file"
        meaning = field.description or ""
        value = show(getattr(settings, name))
        table.append(Row(name=variable(name), value=value, source=source, meaning=meaning))
    return table


def show(value: Any) -> str:
    """Return a value for printing, without secrets and passwords in URLs."""
    if value is None or value in ((), ""):
        return "—"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SecretStr):
        return "(set, not shown)"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, AnyHttpUrl):
        parts = urlsplit(str(value))
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return str(value)
