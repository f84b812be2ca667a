"""Pages of annotators in the queue server, so that another backend goes on where this one stopped.

Label Studio's drafts hold most of a page, up to five seconds late. What no draft and no call tells
lies here: clicks of other labels since then, the masks shown last, what was accepted and rejected.
"""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from typing import Any

from redis import Redis
from redis.exceptions import WatchError

from backend.patience import Patience
from backend.session.page_bytes import KeptPage, from_bytes, to_bytes

log = logging.getLogger(__name__)

KNOWN_SECONDS = 0.02
"""How long a click waits to hear whether another backend has answered its task meanwhile."""

NEW_SECONDS = 0.5
"""How long the first click on a task waits for what another backend knows of it."""

PAUSE_SECONDS = 2.0
"""How long nothing is asked of a queue server that was late or away."""

KEPT_SECONDS = 3600
"""How long pages are kept after their last click."""

MAX_BYTES = 1_000_000
"""Of the pages of one task, compressed. Larger ones are rebuilt from drafts."""

MAX_WAITING = 100
"""Tasks whose pages wait to be written; those that have waited longest are dropped."""

MAX_SEEN = 10_000
"""Tasks of which it is known which pages were seen."""

_STAMP_BYTES = 12
_STAMPS = 16  # remembered of a task: its pages are written about once in each click

Pages = tuple[KeptPage, ...]


class SharedPages:
    """Keeps the pages of tasks for all backends. Thread-safe; no click fails or waits long for it.

    Each state of a task has a stamp. Who has not seen the newest one does not overwrite it, and
    goes on with that one at the next click. ``url`` is the queue server's.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
        self._known = Patience("pages-known", pause=PAUSE_SECONDS)
        self._new = Patience("pages-new", pause=PAUSE_SECONDS)
        self._seen: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()
        self._waiting: OrderedDict[str, Pages] = OrderedDict()
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_writing = False
        self._is_away = False
        self._rests_until = float("-inf")
        self._thread = threading.Thread(target=self._write_all, name="pages-writer", daemon=True)
        self._thread.start()

    def recall(self, task: str, *, is_known: bool) -> Pages | None:
        """Return the pages of a task if another backend has changed them; None if not, or late.

        ``is_known``: whether this process has pages of the task itself.
        """
        patience, seconds = (self._known, KNOWN_SECONDS) if is_known else (self._new, NEW_SECONDS)
        try:
            found = patience.ask(lambda: self._read(task), seconds)
        except Exception as error:  # it is away, or is no queue server
            patience.rest()
            self._tell_away(error)
            return None
        if found is None:
            return None
        stamp, pages = found
        self._note(task, stamp)
        return pages

    def keep(self, task: str, pages: Pages) -> None:
        """Have the pages of a task written soon."""
        with self._changed:
            self._waiting[task] = pages
            self._waiting.move_to_end(task)
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until nothing waits to be written. Only tests need this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._is_writing)

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        self._known.close()
        self._new.close()
        self._redis.close()

    def _read(self, task: str) -> tuple[bytes, Pages | None] | None:
        name = _key(task)
        stamp: Any = self._redis.getrange(name, 0, _STAMP_BYTES - 1)
        if not stamp or stamp in self._seen.get(task, ()):
            return None
        stored: Any = self._redis.get(name) or b""
        try:
            return stored[:_STAMP_BYTES], from_bytes(stored[_STAMP_BYTES:])
        except ValueError as error:  # another release's, perhaps
            log.info("task %.40r: its pages in the queue cannot be read: %s", task, error)
            return stored[:_STAMP_BYTES], None

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                task, pages = self._waiting.popitem(last=False)
                self._is_writing = True
            if time.monotonic() >= self._rests_until:
                try:
                    self._write(task, pages)
                except WatchError:  # another backend was faster: the next click reads its state
                    pass
                except Exception as error:
                    self._rests_until = time.monotonic() + PAUSE_SECONDS
                    self._tell_away(error)
                else:
                    self._is_away = False
            del pages  # an idle thread must not keep masks alive
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _write(self, task: str, pages: Pages) -> None:
        name, stamp = _key(task), secrets.token_bytes(_STAMP_BYTES)
        data = to_bytes(pages)
        if len(data) > MAX_BYTES:
            data = to_bytes(())  # so that nobody goes on with an older state
        pipeline: Any
        with self._redis.pipeline() as pipeline:
            pipeline.watch(name)
            there = pipeline.getrange(name, 0, _STAMP_BYTES - 1)
            if there and there not in self._seen.get(task, ()):
                return
            self._note(task, stamp)
            pipeline.multi()
            pipeline.set(name, stamp + data, ex=KEPT_SECONDS)
            pipeline.execute()

    def _tell_away(self, error: Exception) -> None:
        """Log one line for all failures in a row."""
        if not self._is_away:
            log.warning("other backends do not learn of clicks before the next draft: %s", error)
        self._is_away = True

    def _note(self, task: str, stamp: bytes) -> None:
        with self._changed:
            self._seen[task] = (*self._seen.get(task, ()), stamp)[-_STAMPS:]
            self._seen.move_to_end(task)
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)


def _key(task: str) -> str:
    return f"dynamite:pages:{task}"
