"""Which masks the model answered, remembered until somebody accepts them.

Serving processes write, the ingest job reads; both by the task's number and the region's id. What
is lost with the queue server costs no annotation, only the knowledge where a mask came from.
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

log = logging.getLogger(__name__)

KEPT_SECONDS = 30 * 24 * 3600
WAITING = 1000
"""Most answers not written yet; more are dropped: clicks do not wait for provenance."""


@dataclass(frozen=True)
class Answered:
    """One mask that was answered: its region, a name of its pixels, and how it came to be."""

    region: str
    digest: str
    version: str
    clicks: int


def key(task: str) -> str:
    """The hash that holds a task's answers."""
    return f"dynamite:answers:{task}"


def field(region: str, digest: str) -> str:
    """One mask among those of a task."""
    return f"{region} {digest}"


class AnswerLog:
    """Writes answers, and other notes, in the background; no request waits for it."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
        self._queue: queue.Queue[Callable[[Redis], object] | None] = queue.Queue(WAITING)
        self._lock = threading.Lock()
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def note(self, task: str, answers: Iterable[Answered]) -> None:
        """Remember what was answered to a task."""
        fields: dict[Any, Any] = {
            field(a.region, a.digest): json.dumps([a.version, a.clicks]) for a in answers
        }
        if fields:
            self.write(lambda redis: _keep(redis, task, fields))

    def write(self, what: Callable[["Redis"], object]) -> None:
        """Have something else written, when its turn comes."""
        try:
            self._queue.put_nowait(what)
        except queue.Full:
            self._lose("too many are waiting")

    def close(self) -> None:
        """Write what waits, then end the thread."""
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
        """One line for all that are lost one after the other: it would hide all other lines."""
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


def _keep(redis: "Redis", task: str, fields: dict[Any, Any]) -> None:
    with redis.pipeline() as pipeline:
        pipeline.hset(key(task), mapping=fields)
        pipeline.expire(key(task), KEPT_SECONDS)
        pipeline.execute()


def recall(redis: "Redis", task: int) -> Mapping[str, Mapping[str, Any]]:
    """What was answered to a task: by region, then by the digest of the mask, [version, clicks]."""
    found: dict[str, dict[str, Any]] = {}
    raw: Any = redis.hgetall(key(str(task)))
    for name, value in raw.items():
        region, _, digest = name.decode().partition(" ")
        found.setdefault(region, {})[digest] = json.loads(value)
    return found
