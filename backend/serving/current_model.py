"""Loads the model version that a serving process starts with."""

import logging
from dataclasses import replace

from backend.serving.engine import Model
from backend.settings import Settings
from dynamite.errors import DynamiteError
from dynamite.registry import Current, Registry

log = logging.getLogger(__name__)


def load_current(settings: Settings, registry: Registry) -> tuple[Model, Current]:
    """Load the current version; where it is unusable, the last usable one, else the configured one.

    The watcher finds an unusable version again, says so and keeps trying.
    """
    from backend.serving.loading import load_model  # noqa: PLC0415  it loads torch

    try:
        entry = registry.current()
    except DynamiteError as error:
        log.warning("the versions cannot be read: %s", error)
        return load_model(settings), Current()
    for name in (entry.version, *entry.history):
        if not name:
            break
        try:
            version = registry.get(name)
            version.verify()
            return load_model(settings, version.weights), replace(entry, version=name)
        except DynamiteError as error:
            log.warning("version %s cannot be used: %s", name, error)
    return load_model(settings), replace(entry, version=None)
