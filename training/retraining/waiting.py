"""Waiting for shared folders that are away."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from dynamite.errors import DynamiteError
from dynamite.registry import MissingError, RegistryError, StaleError

log = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_SECONDS, PATIENCE_SECONDS = 10.0, 3600.0


class AwayError(DynamiteError):
    """The folder of snapshots and runs is not there at the moment, or cannot be written."""


def patiently(action: Callable[[], T]) -> T:
    """Return ``action()``; while the shared folders it uses are away, retry for up to an hour.

    The hour starts when they go away, and starts over after an attempt that itself ran for longer.

    Raises:
        RegistryError, AwayError: the folders stayed away.
    """
    since = None
    while True:
        begun = time.monotonic()
        try:
            return action()
        except (StaleError, MissingError):  # RegistryErrors that waiting does not cure
            raise
        except (RegistryError, AwayError) as error:
            now = time.monotonic()
            if since is None or now - begun > PATIENCE_SECONDS:
                since = now
            if now - since > PATIENCE_SECONDS:
                raise
            log.warning("%s; trying again in %.0f s", error, WAIT_SECONDS)
            time.sleep(WAIT_SECONDS)
