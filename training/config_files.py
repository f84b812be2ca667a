"""Reads training configs from YAML and checks them; an unknown key is an error that names it.

A file may name another file as its ``base``. Mappings are merged key by key; any other value
replaces that of the base.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from training.config import ConfigError, TrainingConfig


def from_dict(values: Mapping[str, Any], source: str = "config") -> TrainingConfig:
    """Make a config from plain values.

    Args:
        values: the config.
        source: its name for error messages.

    Raises:
        ConfigError: a key is unknown, missing or of the wrong type; the message lists them all.
    """
    try:
        return TypeAdapter(TrainingConfig).validate_python(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{source} is not a training config:\n{describe(error)}") from None


def describe(error: ValidationError) -> str:
    """Return one line per fault: its key, what is wrong, the value."""
    return "\n".join(
        f"  {'.'.join(map(str, fault['loc'])) or '(top)'}: {_fault_text(fault)}"
        for fault in error.errors(include_url=False)
    )


def load_config(path: Path) -> TrainingConfig:
    """Read a YAML config and its bases.

    Raises:
        ConfigError: a file is missing, is not a YAML mapping, or is not a training config.
    """
    return from_dict(_read(path, ()), str(path))


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path.name} is its own base, through {[p.name for p in seen]}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}, not a mapping of settings")
    base = values.pop("base", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base is {base!r}, not the name of a file")
    return _merge(_read(path.parent / base, (*seen, path)), values)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both and old is not None else value
    return merged


def _fault_text(fault: Any) -> str:
    if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown key"
    if fault["type"] in ("missing", "missing_argument"):
        return "missing"
    return f"{fault['msg']}, not {fault['input']!r}"
