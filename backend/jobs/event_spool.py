"""Keeps events that the queue could not take yet as files, so that none is lost."""

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from dynamite.files import replacing
from dynamite.json_text import read_json

log = logging.getLogger(__name__)

Event = dict[str, Any]


class Spool:
    """A folder of waiting events; a thread delivers them, oldest first, as soon as that works."""

    def __init__(self, folder: Path, deliver: Callable[[Event], None], every: float = 1.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._deliver = deliver
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Keep an event until it can be delivered."""
        name = f"{time.time_ns():020d}-{uuid4().hex[:8]}"
        with replacing(self._folder / f"{name}.json") as part:
            part.write_text(json.dumps(event), encoding="utf-8")

    def __len__(self) -> int:
        return sum(1 for _ in self._folder.glob("*.json"))

    def close(self) -> None:
        """End the thread; the remaining events are delivered after the next start."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._drain()

    def _drain(self) -> None:
        for path in sorted(self._folder.glob("*.json")):
            try:
                event = read_json(path.read_bytes())
            except (OSError, ValueError):
                log.exception("a waiting event cannot be read and is set aside: %s", path.name)
                path.rename(path.with_suffix(".unreadable"))
                continue
            try:
                self._deliver(event)
            except Exception as error:
                log.warning("the queue still takes no jobs (%s); %d events wait", error, len(self))
                return
            path.unlink(missing_ok=True)
            if self._stop.is_set():
                return
