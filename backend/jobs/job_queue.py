"""The queue: events become RQ jobs, called by name, with JSON arguments."""

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now
from rq.worker_registration import get_keys

from backend import request_id
from backend.errors import TooManyEventsError
from backend.jobs.event_spool import Event, Spool
from backend.jobs.queue_trial import refusal

log = logging.getLogger(__name__)

T = TypeVar("T")

INGEST, TRAIN, MEMORY = QUEUES = ("ingest", "train", "memory")
JOB_SECONDS = 3600
"""Longest time of a job but a training; the snapshot of many images takes long."""
RETRIES = 5
"""Further attempts at a job that was killed or failed."""
RESULT_SECONDS = 3600
FAILURE_SECONDS = 30 * 24 * 3600
PATIENCE_SECONDS = 14 * 24 * 3600
"""How long an event that cannot be handled is retried."""
ANSWER_SECONDS = 0.03
"""How long a webhook may wait for the queue server: Label Studio gives up after 1 s."""
CLAIM = "claim"
"""How the ids of jobs begin whose event is not verified, so that they are told apart unread."""
MOST_CLAIMS = 10_000
"""Most events that may wait for one that is not verified to be taken."""
QUESTION_SECONDS = 1.0
"""How long a question about the state of the queue may take."""


def at_work(*, memory: bool) -> tuple[str, ...]:
    """Return the names of the queues at work, with project memory or without."""
    return QUEUES if memory else (INGEST, TRAIN)


class JobQueue:
    """Hands events to the workers at once, or keeps them on disk until the queue is back.

    Args:
        url: Address of the queue server.
        spool_folder: Folder of events that wait on disk.
        event_job: Name of the job that takes an event.
        names: Of the queues at work.
        answer_seconds: How long an event waits for the queue server before it goes to disk.
    """

    def __init__(
        self,
        url: str,
        spool_folder: Path,
        event_job: str,
        *,
        names: Collection[str] = QUEUES,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._names = tuple(names)
        self._event_job = event_job
        self._quick = Redis.from_url(
            url, socket_connect_timeout=answer_seconds, socket_timeout=answer_seconds
        )
        self._asking = Redis.from_url(
            url, socket_connect_timeout=QUESTION_SECONDS, socket_timeout=QUESTION_SECONDS
        )
        self._patient = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=10)
        self._spool = Spool(spool_folder, lambda event: self._enqueue(event, self._patient))

    def put(self, event: Event) -> bool:
        """Enqueue an event; false if it waits on disk because the queue server is away.

        It takes the id of the request along, as its ``request_id``.

        Raises:
            TooManyEventsError: It is not ``verified``, and very many events wait.
        """
        event = event | request_id.taken_along()
        try:
            if not event.get("verified"):
                _check_room(ingest_queue(self._quick).count)
            self._enqueue(event, self._quick)
        except (RedisError, OSError) as error:
            log.warning("the queue takes no jobs (%s): the event waits on disk", error)
            if not event.get("verified"):
                _check_room(self.on_disk)
            self._spool.put(event)
            return False
        return True

    @property
    def on_disk(self) -> int:
        """How many events wait on disk for the queue server."""
        return len(self._spool)

    def depths(self) -> dict[str, dict[str, int]] | None:
        """Count jobs by queue and state (waiting, running, failed).

        Returns:
            None if the server is away, takes no jobs, or holds what cannot be read.
        """

        def count() -> dict[str, dict[str, int]] | None:
            if refused := refusal(self._asking):
                log.warning("%s", refused)
                return None
            return {name: depth(Queue(name, connection=self._asking)) for name in self._names}

        return _readable(count)

    def ages(self) -> dict[str, float] | None:
        """Return the seconds that the next job of each queue has waited; None as for ``depths``."""
        return _readable(
            lambda: {name: age(Queue(name, connection=self._asking)) for name in self._names}
        )

    def workers(self, *, at_once: bool = False) -> dict[str, int] | None:
        """Count the workers of each queue that live; None as for ``depths``.

        One that gave no sign of life for 85 s does not count. With ``at_once`` the server has no
        more time to answer than for an event.
        """
        connection = self._quick if at_once else self._asking
        return _readable(
            lambda: {name: workers(Queue(name, connection=connection)) for name in self._names}
        )

    def ask(self, question: Callable[[Redis], T]) -> T:
        """Call ``question`` with a quick connection; it must cope with a server that is away."""
        return question(self._asking)

    def close(self) -> None:
        """Stop delivering; events on disk are kept."""
        self._spool.close()
        for connection in (self._quick, self._asking, self._patient):
            connection.close()

    def _enqueue(self, event: Event, connection: Redis) -> None:
        with connection.pipeline() as pipeline:  # one trip to the server instead of two
            ingest_queue(connection).enqueue(
                self._event_job,
                event,
                job_id=f"{'event' if event.get('verified') else CLAIM}-{uuid4()}",
                description=self._event_job,  # the default, all arguments, would end up in logs
                job_timeout=JOB_SECONDS,
                retry=Retry(max=RETRIES),  # a killed worker must not cost an annotation
                result_ttl=RESULT_SECONDS,
                failure_ttl=FAILURE_SECONDS,
                meta={"request_id": event.get("request_id", "")},
                pipeline=pipeline,
            )
            pipeline.execute()


def _readable(question: Callable[[], T | None]) -> T | None:
    """Return what the queue server holds; None if it is away, or if others wrote there."""
    try:
        return question()
    except (RedisError, OSError):
        return None
    except Exception as error:  # of rq, on what it did not write
        log.warning("the queue server holds what cannot be read (%s)", type(error).__name__)
        return None


def _check_room(waiting: int) -> None:
    if waiting >= MOST_CLAIMS:
        raise TooManyEventsError(
            f"{waiting} events wait, and this one must be confirmed by Label Studio: a comparison "
            "brings in what it is about"
        )


def ingest_queue(connection: Redis) -> Queue:
    """Return the queue of everything but trainings."""
    return Queue(INGEST, connection=connection, serializer=JSONSerializer)


def find_job(redis: Redis, job_id: str) -> Job | None:
    """Fetch a job by its id; None if there is none."""
    try:
        return Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    except NoSuchJobError:
        return None


def requeue_failed(connection: Redis, names: Collection[str]) -> int:
    """Give each failed job with one of these names one more attempt; return how many there were.

    A full disk, or a share that was away, can use up all attempts within seconds. Jobs older than
    ``PATIENCE_SECONDS`` are left alone.
    """
    queue, count = ingest_queue(connection), 0
    oldest = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)
    for job_id in queue.failed_job_registry.get_job_ids():
        job = queue.fetch_job(job_id)
        if job is None or job.func_name not in names or job.created_at < oldest:
            continue
        with suppress(InvalidJobOperation):  # another process has just done so
            queue.failed_job_registry.requeue(job)
            count += 1
    return count


def depth(queue: Queue) -> dict[str, int]:
    """Count the jobs of a queue that are waiting, running and failed.

    A training that was cancelled has not failed, although rq keeps it among those that have.
    """
    failed = queue.failed_job_registry
    if queue.name == TRAIN:  # no other jobs can be cancelled
        ids = failed.get_job_ids(cleanup=False)
        found = Job.fetch_many(ids, connection=queue.connection, serializer=JSONSerializer)
        states = [job.get_status(refresh=False) for job in found if job is not None]
        failures = len(states) - states.count(JobStatus.STOPPED)
    else:
        failures = failed.get_job_count(cleanup=False)
    return {
        "waiting": queue.count,
        "running": queue.started_job_registry.get_job_count(cleanup=False),
        "failed": failures,
    }


def age(queue: Queue) -> float:
    """Return how many seconds the job at the front of a queue has waited; 0 without any."""
    for job_id in queue.get_job_ids(0, 1):
        job = find_job(queue.connection, job_id)
        if job is not None and job.enqueued_at is not None:
            return float(max(0.0, (rq_now() - job.enqueued_at).total_seconds()))
    return 0.0


def workers(queue: Queue) -> int:
    """Count the workers of a queue that are registered and have not ended."""
    with queue.connection.pipeline() as pipeline:
        for key in get_keys(queue):
            pipeline.hmget(key, "birth", "death")
        return sum(birth is not None and death is None for birth, death in pipeline.execute())
