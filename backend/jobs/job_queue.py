"""The way into the queue: events become RQ jobs, by name, in JSON."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.exceptions import InvalidJobOperation
from rq.serializers import JSONSerializer

from backend.jobs.event_spool import Event, Spool

log = logging.getLogger(__name__)

T = TypeVar("T")

INGEST, TRAIN = QUEUES = ("ingest", "train")
INGEST_JOB = "backend.label_studio.ingest.jobs.ingest_event"
REQUEST_JOB = "backend.label_studio.ingest.jobs.request_training"
JOB_SECONDS = 3600
"""An event can ask for a training, whose snapshot of many images takes long."""
ATTEMPTS_MORE = 5
RESULT_SECONDS = 3600
FAILURE_SECONDS = 30 * 24 * 3600
PATIENCE_SECONDS = 14 * 24 * 3600
"""An event that cannot be dealt with is tried again for so long."""
ANSWER_SECONDS = 0.03
"""How long the queue server may take while a webhook waits: Label Studio cuts off after 1 s."""
QUESTION_SECONDS = 1.0
"""And while somebody wants to know how things stand."""


class JobQueue:
    """Hands events to the workers at once, or keeps them on disk until the queue is back.

    ``answer_seconds``: how long an event waits for the queue server before it goes to disk.
    """

    def __init__(
        self, url: str, spool_folder: Path, *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._quick = Redis.from_url(
            url, socket_connect_timeout=answer_seconds, socket_timeout=answer_seconds
        )
        self._asking = Redis.from_url(
            url, socket_connect_timeout=QUESTION_SECONDS, socket_timeout=QUESTION_SECONDS
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

    @property
    def on_disk(self) -> int:
        """How many events wait on disk for the queue server."""
        return len(self._spool)

    def depths(self) -> dict[str, dict[str, int]] | None:
        """Jobs by queue and state (waiting, running, failed); None while the server is away."""
        try:
            return {name: depth(Queue(name, connection=self._asking)) for name in QUEUES}
        except (RedisError, OSError):
            return None

    def ask(self, question: Callable[["Redis"], T]) -> T:
        """Put a quick question to the queue server, whose absence it must bear."""
        return question(self._asking)

    def close(self) -> None:
        """Stop delivering; what waits on disk is kept."""
        self._spool.close()
        for connection in (self._quick, self._asking, self._patient):
            connection.close()

    def _enqueue(self, event: Event, connection: "Redis") -> None:
        with connection.pipeline() as pipeline:  # one trip to the server instead of two
            ingest_queue(connection).enqueue(
                INGEST_JOB,
                event,
                description=INGEST_JOB,  # by default all arguments, which would end up in logs
                job_timeout=JOB_SECONDS,
                retry=Retry(max=ATTEMPTS_MORE),  # a killed worker must not cost an annotation
                result_ttl=RESULT_SECONDS,
                failure_ttl=FAILURE_SECONDS,
                pipeline=pipeline,
            )
            pipeline.execute()


def ingest_queue(connection: "Redis") -> Queue:
    """The queue of everything but trainings."""
    return Queue(INGEST, connection=connection, serializer=JSONSerializer)


def requeue_failed(connection: "Redis") -> int:
    """Give each event, or request for a training, whose job failed one more attempt; how many.

    What it failed for, a full disk or a share that was away, may have used up all of its attempts
    within seconds.
    """
    queue, count = ingest_queue(connection), 0
    oldest = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)
    for job_id in queue.failed_job_registry.get_job_ids():
        job = queue.fetch_job(job_id)
        if job is None or job.func_name not in (INGEST_JOB, REQUEST_JOB) or job.created_at < oldest:
            continue
        with suppress(InvalidJobOperation):  # another process has just done so
            queue.failed_job_registry.requeue(job)
            count += 1
    return count


def depth(queue: Queue) -> dict[str, int]:
    """How many jobs of a queue are waiting, running and failed."""
    return {
        "waiting": queue.count,
        "running": queue.started_job_registry.get_job_count(cleanup=False),
        "failed": queue.failed_job_registry.get_job_count(cleanup=False),
    }
