"""The settings as a table a person can read: value, source and meaning, secrets hidden."""

import os
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, BaseModel, SecretStr

from backend.settings import Settings, in_file, variable
from backend.settings.retraining import RetrainingSettings


class Row(BaseModel):
    """One line of ``dynamite settings``."""

    name: str
    value: str
    source: Literal["environment", "file", "default"]
    meaning: str


def rows(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[Row]:
    """All settings, those of retraining last, secrets hidden, with where each value comes from."""
    file = in_file()
    in_environment = {key.upper() for key, value in environment.items() if value}
    table = []
    for name in sorted(
        Settings.model_fields, key=lambda name: name in RetrainingSettings.model_fields
    ):
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
    """A setting's value as it may be printed: secrets and passwords inside addresses hidden."""
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
