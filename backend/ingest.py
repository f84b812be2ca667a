"""The job that turns a webhook into an entry of the annotation store; runs in a worker."""

import logging
from typing import Any

log = logging.getLogger(__name__)


def ingest_event(event: dict[str, Any]) -> str:
    """Take one webhook's event; says in a word what was done with it."""
    action = str(event.get("action"))
    log.info("event %s received", action)
    return action
