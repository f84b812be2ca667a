"""Notices that another version is current, tries it beside the old one, and swaps."""

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
AGAIN_SECONDS = 60.0
"""A version that could not be loaded is tried again after so long: a file may be mended."""


class ModelWatcher:
    """Follows the registry of one line for one serving process.

    Args:
        registry: where versions come from.
        load: loads and tries weights (None: those that are configured or ship).
        swap: makes a model the one that answers.
        alarm: is told once of everything that goes wrong.
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
        """What is wrong at the moment, for the status page."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Look every few seconds from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> bool:
        """Look once; whether another model answers now.

        Whatever fails leaves the old model where it is.
        """
        try:
            entry = self._registry.current()
            # The newest alone may have been damaged, and deleted.
            if entry.number < self._number - 1 or (self._number and not entry.number):
                raise RegistryError(
                    f"{self._registry.folder} has lost entries, or is not mounted; if it was begun "
                    "anew on purpose, start the server again"
                )
        except DynamiteError as error:
            self._tell(f"the model stays as it is: {error}")
            return False
        if entry.version == self._serving:
            self._number, self.problem, self._failed = entry.number, None, None
            return False
        if self._failed is not None:
            number, since = self._failed
            if number == entry.number and time.monotonic() - since < AGAIN_SECONDS:
                return False
        log.info("version %s is loaded beside %s", entry.version, self._serving)
        try:
            if entry.version is None:
                model = self._load(None)
            else:
                version = self._registry.get(entry.version)
                version.verify()
                model = self._load(version.weights)
        except Exception as error:
            self._failed = entry.number, time.monotonic()
            self._tell(f"version {entry.version} cannot be used, the old model stays: {error}")
            return False
        self._swap(model)
        self._serving, self._number = entry.version, entry.number
        self.problem, self._failed = None, None
        log.info("model %s answers now (%s)", model.version, entry.reason)
        return True

    def _tell(self, words: str) -> None:
        if words != self.problem:
            self._alarm(words)
        self.problem = words

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.check()
            except Exception:
                log.exception("the watcher of models stumbled")
