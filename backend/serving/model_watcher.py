"""Notices a new current version, tries it next to the old one, and swaps."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from backend.serving.engine import Model
from dynamite.errors import DynamiteError
from dynamite.registry import Registry, RegistryError

log = logging.getLogger(__name__)

POLL_SECONDS = 3.0
RETRY_SECONDS = 60.0
"""How long to wait before retrying a version that could not be loaded: it may be repaired."""


class ModelWatcher:
    """Follows the registry of one model line for a serving process.

    Args:
        registry: the versions of the line.
        load: loads and tries weights (None: the configured or shipped ones).
        swap: makes a model the current one.
        alarm: receives a message about each new problem.
        serving: the version in use; None for the configured or shipped weights.
        number: the number of its registry entry.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        load: Callable[[Path | None], Model],
        swap: Callable[[Model], None],
        alarm: Callable[[str], None],
        serving: str | None = None,
        number: int = 0,
    ) -> None:
        self._registry = registry
        self._load = load
        self._swap = swap
        self._alarm = alarm
        self._serving = serving
        self._number = number
        self._failed: tuple[int, float] | None = None
        self.problem: str | None = None
        """The current problem, if any, for the status page."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Start checking every few seconds."""
        self._thread.start()

    def close(self) -> None:
        """Stop checking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> bool:
        """Check once; after any failure the old model stays in use.

        Returns:
            Whether another model is in use now.
        """
        try:
            entry = self._registry.current()
            # The newest entry alone may have been damaged and deleted.
            if entry.number < self._number - 1 or (self._number and not entry.number):
                raise RegistryError(
                    f"{self._registry.folder} has lost entries or is not mounted; if it was reset "
                    "on purpose, restart the server"
                )
        except DynamiteError as error:
            self._report(f"the model stays in use: {error}")
            return False
        if entry.version == self._serving:
            self._number, self.problem, self._failed = entry.number, None, None
            return False
        if self._failed is not None:
            number, since = self._failed
            if number == entry.number and time.monotonic() - since < RETRY_SECONDS:
                return False
        log.info("loading version %s next to %s", entry.version, self._serving)
        try:
            if entry.version is None:
                model = self._load(None)
            else:
                version = self._registry.get(entry.version)
                version.verify()
                model = self._load(version.weights)
        except Exception as error:
            self._failed = entry.number, time.monotonic()
            self._report(f"version {entry.version} cannot be used, the old model stays: {error}")
            return False
        self._swap(model)
        self._serving, self._number = entry.version, entry.number
        self.problem, self._failed = None, None
        log.info("model %s is in use now (%s)", model.version, entry.reason)
        return True

    def _report(self, message: str) -> None:
        if message != self.problem:
            self._alarm(message)
        self.problem = message

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.check()
            except Exception:
                log.exception("the model watcher failed")
