"""Jobs whose worker was killed are found, and what is due by the clock is asked for.

Every worker runs this in a thread. Several do no harm: what is to happen once has a key in Redis
that only the first one gets.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from croniter import CroniterBadDateError, croniter
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from backend.job_queue import ATTEMPTS_MORE, JOB_SECONDS, REQUEST_JOB, ingest_queue
from backend.retraining.mending import mend
from backend.retraining.turns import AHEAD, begun, find_job
from backend.settings import Settings

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
"""A started job counts as abandoned 65 s after its last heartbeat (rq: 5 s and a fixed 60)."""

ON_ITS_WAY_SECONDS = 60.0
"""A worker has begun a job that it took long before."""

CLEAN_SECONDS = 6 * 3600.0
KEPT_SECONDS = 7 * 24 * 3600
FORGOTTEN_SECONDS = 30 * 24 * 3600
"""After so long a schedule that nobody looked at is a new one, which makes up for nothing."""


class Janitor:
    """Looks around every ten seconds until closed."""

    def __init__(
        self, settings: Settings, queues: Sequence[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._queues = queues
        self._clock = clock
        self._redis = Redis.from_url(settings.queue_url, socket_timeout=10)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()
        self._redis.close()

    def look_around(self) -> None:
        """Once: jobs without a worker run again, jobs that are due are enqueued."""
        for name in self._queues:
            mend(Queue(name, connection=self._redis, serializer=JSONSerializer))
        now = self._clock()
        for name, arguments in due_jobs(self._redis, self._settings, now):
            log.debug("due: %s%s", name, arguments)
            enqueue_due(self._redis, name, arguments)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self.look_around()
            except (RedisError, OSError) as error:
                log.warning("the queue server is away: %s", error)
            except Exception:
                log.exception("the janitor stumbled")


def enqueue_due(redis: "Redis", name: str, arguments: Sequence[object]) -> None:
    """Put what is due into the queue, unless the same is there or goes on.

    A comparison may take longer than it is until the next one, and events would wait behind both.
    """
    job_id = "-".join(["due", name.rpartition(".")[2], *map(str, arguments[:1])])
    queue, job = ingest_queue(redis), find_job(redis, job_id)
    if job is not None:
        # One that a killed worker took with it is in no list, and says that it waits, for ever.
        if job.get_status() in AHEAD and (job_id in begun(queue) or is_fresh(job)):
            return
        job.delete()
    queue.enqueue(
        name,
        *arguments,
        job_id=job_id,
        job_timeout=JOB_SECONDS,
        retry=Retry(max=ATTEMPTS_MORE),
        result_ttl=3600,
        failure_ttl=KEPT_SECONDS,
    )


def is_fresh(job: Job) -> bool:
    """Whether it was put into its queue so lately that a worker may just be taking it."""
    since = job.enqueued_at
    return since is not None and (rq_now() - since).total_seconds() < ON_ITS_WAY_SECONDS


def due_jobs(
    redis: "Redis", settings: Settings, now: float
) -> list[tuple[str, tuple[object, ...]]]:
    """The jobs that are due and that nobody has asked for yet, each with its arguments."""
    due: list[tuple[str, tuple[object, ...]]] = []
    schedule = settings.train_schedule
    slot = last_time(schedule, now) if schedule else None  # before anything is taken
    often = 60 * settings.reconcile_minutes
    if often and first(redis, "reconcile", now, often):
        due.append(("backend.ingest.reconcile", ()))
    if first(redis, "clean", now, CLEAN_SECONDS):
        due.append(("backend.ingest.clean", ()))
    if schedule:
        for line in settings.all_lines:
            if first_at(redis, f"train:{line}", schedule, slot, now):
                due.append((REQUEST_JOB, (line, "the schedule")))
    return due


def last_time(schedule: str, now: float) -> float | None:
    """The latest time of a cron expression; None if its first is still to come."""
    try:
        return float(croniter(schedule, now).get_prev(float))
    except CroniterBadDateError:
        return None


def first(redis: "Redis", what: str, now: float, seconds: float) -> bool:
    """Whether nobody has done ``what`` in the stretch of ``seconds`` that ``now`` is in."""
    stretch, kept = int(now // seconds), max(1, round(2 * seconds))
    return bool(redis.set(f"dynamite:due:{what}:{stretch}", 1, nx=True, ex=kept))


def first_at(redis: "Redis", what: str, schedule: str, slot: float | None, now: float) -> bool:
    """Whether nobody has done ``what`` for the time ``slot``, and the schedule was known then."""
    since = known_since(redis, what, schedule, now)
    if slot is None or slot < since:
        return False
    return bool(redis.set(f"dynamite:due:{what}:{slot:.0f}", 1, nx=True, ex=KEPT_SECONDS))


def known_since(redis: "Redis", what: str, schedule: str, now: float) -> float:
    """Since when ``what`` has had this schedule; one that comes back after another is a new one."""
    key = f"dynamite:since:{what}"
    raw: Any = redis.get(key)
    known, since = json.loads(raw) if raw else (None, now)
    if known != schedule:
        since = now
    redis.set(key, json.dumps([schedule, since]), ex=FORGOTTEN_SECONDS)
    return float(since)
