"""The way into the queue: events become RQ jobs, by name, in JSON."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.serializers import JSONSerializer

from backend.spool import Event, Spool

log = logging.getLogger(__name__)

T = TypeVar("T")

INGEST = "ingest"
INGEST_JOB = "backend.ingest.ingest_event"
JOB_SECONDS = 120
ATTEMPTS_MORE = 5
RESULT_SECONDS = 3600
FAILURE_SECONDS = 30 * 24 * 3600
ANSWER_SECONDS = 0.03
"""How long the queue server may take while a webhook waits: Label Studio cuts off after 1 s."""


class JobQueue:
    """Hands events to the workers at once, or keeps them on disk until the queue is back."""

    def __init__(self, url: str, spool_folder: Path) -> None:
        self._quick = Redis.from_url(
            url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS
        )
        self._patient = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=10)
        self._spool = Spool(spool_folder, lambda event: self._enqueue(event, self._patient))

    def put(self, event: Event) -> bool:
        """Enqueue an event; false if it waits on disk because the queue server is away."""
        try:
            self._enqueue(event, self._quick)
        except (RedisError, OSError) as error:
            log.warning("the queue takes no jobs (%s): the event waits on disk", error)
            self._spool.put(event)
            return False
        return True

    def state(self) -> dict[str, Any]:
        """Numbers for the status page: waiting, failed, on disk, and whether it answers."""
        try:
            queue = Queue(INGEST, connection=self._quick, serializer=JSONSerializer)
            waiting, failed = queue.count, queue.failed_job_registry.count
        except (RedisError, OSError):
            return {"up": False, "waiting": None, "failed": None, "on_disk": len(self._spool)}
        return {"up": True, "waiting": waiting, "failed": failed, "on_disk": len(self._spool)}

    def ask(self, question: Callable[["Redis"], T]) -> T:
        """Put a quick question to the queue server, whose absence it must bear."""
        return question(self._quick)

    def close(self) -> None:
        """Stop delivering; what waits on disk is kept."""
        self._spool.close()
        self._quick.close()
        self._patient.close()

    def _enqueue(self, event: Event, connection: "Redis") -> None:
        Queue(INGEST, connection=connection, serializer=JSONSerializer).enqueue(
            INGEST_JOB,
            event,
            description=INGEST_JOB,  # by default all arguments, which would end up in logs
            job_timeout=JOB_SECONDS,
            retry=Retry(max=ATTEMPTS_MORE),  # a killed worker must not cost an annotation
            result_ttl=RESULT_SECONDS,
            failure_ttl=FAILURE_SECONDS,
        )
