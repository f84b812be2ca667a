"""Keeps events that the queue could not take yet as files, so that none is lost."""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from dynamite.files import replacing
from dynamite.json_text import read_json

log = logging.getLogger(__name__)

Event = dict[str, Any]


class Spool:
    """A folder of waiting events; a thread delivers them, oldest first, as soon as that works.

    Several processes may share the folder: one of them delivers at a time.
    """

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
        if len(self):
            with alone_in(self._folder) as is_alone:
                if is_alone:
                    self._deliver_all()

    def _deliver_all(self) -> None:
        for path in sorted(self._folder.glob("*.json")):
            try:
                event = read_json(path.read_bytes())
                if not isinstance(event, dict):
                    raise ValueError("it is no JSON object")
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


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Lock a folder for the block; yield false if another process has locked it.

    A share without locks counts as ours.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        is_alone = False
    except OSError:
        is_alone = True
    else:
        is_alone = True
    try:
        yield is_alone
    finally:
        os.close(handle)
