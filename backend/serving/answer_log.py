"""The masks that the model answered, remembered until an annotator accepts them.

Serving processes write them and the ingest job reads them, by source, task and region. Losing them
with the queue server costs no annotation, only the knowledge of where a mask came from.
"""

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from dynamite.json_text import read_json

log = logging.getLogger(__name__)

ANY_REGION = "any"
"""Stands for the region of a mask whose id the page makes up when it is accepted."""

KEPT_SECONDS = 30 * 24 * 3600
MAX_WAITING = 1000
"""Limit of the notes waiting to be written; more are dropped: no click waits for a note."""


@dataclass(frozen=True)
class Answered:
    """One mask that the model answered.

    Attributes:
        region: id of its region, or ``ANY_REGION``.
        digest: of its pixels.
        version: of the model.
        clicks: how many clicks it took.
        sketch: its shape, roughly (``backend.session.sketch``).
    """

    region: str
    digest: str
    version: str
    clicks: int
    sketch: str = ""


def key(source: str, task: str) -> str:
    """Return the name of the hash with the answers to a task of a source."""
    return f"dynamite:answers:{source}:{task}"


def field(region: str, digest: str) -> str:
    """Return the field of one mask in that hash."""
    return f"{region} {digest}"


class AnswerLog:
    """Writes answers, and other notes, in the background; no request waits for it.

    ``url`` is the queue server's.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
        self._queue: queue.Queue[Callable[[Redis], object] | None] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def note(self, source: str, task: str, answers: Iterable[Answered]) -> None:
        """Remember the masks that were answered to a task of a source, a tool or server."""
        fields: dict[Any, Any] = {
            field(a.region, a.digest): json.dumps([a.version, a.clicks, a.sketch]) for a in answers
        }
        if fields:
            name = key(source, task)
            self.write(lambda redis: _keep(redis, name, fields))

    def write(self, what: Callable[[Redis], object]) -> None:
        """Queue another note to be written."""
        try:
            self._queue.put_nowait(what)
        except queue.Full:
            self._lose("too many are waiting")

    def close(self) -> None:
        """Write the notes that wait, then end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while (write := self._queue.get()) is not None:
            try:
                write(self._redis)
            except (RedisError, OSError) as error:
                self._lose(error)
            except Exception:  # one bad note must not cost those after it
                log.exception("a note cannot be written")
            else:
                self._tell_lost()
        self._tell_lost()

    def _lose(self, why: object) -> None:
        """Log one line for all notes lost in a row: a line for each would hide all others."""
        with self._lock:
            self._lost += 1
            first = self._lost == 1
        if first:
            log.warning("a note for the queue is lost, and all until it takes one: %s", why)

    def _tell_lost(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            log.warning("notes for the queue that were lost: %d", lost)


def _keep(redis: Redis, name: str, fields: dict[Any, Any]) -> None:
    with redis.pipeline() as pipeline:
        pipeline.hset(name, mapping=fields)
        pipeline.expire(name, KEPT_SECONDS)
        pipeline.execute()


def recall(redis: Redis, source: str, task: int | str) -> Mapping[str, Mapping[str, Any]]:
    """Return what was answered to a task of a source.

    Returns:
        By region, then by the digest of the mask: [model version, clicks, sketch].
    """
    found: dict[str, dict[str, Any]] = {}
    raw: Any = redis.hgetall(key(source, str(task)))
    for name, value in raw.items():
        region, _, digest = name.decode().partition(" ")
        found.setdefault(region, {})[digest] = read_json(value)
    return found
