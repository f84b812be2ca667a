"""Jobs whose worker was killed are found, and what is due by the clock is asked for.

Every worker runs this in a thread. Several do no harm.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from backend.jobs.job_queue import ATTEMPTS_MORE, JOB_SECONDS, ingest_queue
from backend.jobs.rq_repair import mend
from backend.jobs.schedule import claim, due_jobs, note_asked_for
from backend.retraining.training_queue import AHEAD, begun, find_job
from backend.settings import Settings

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
"""A started job counts as abandoned 65 s after its last heartbeat (rq: 5 s and a fixed 60)."""

ON_ITS_WAY_SECONDS = 60.0
"""A worker has begun a job that it took long before."""

FAILED_SECONDS = 7 * 24 * 3600


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
        for due in due_jobs(self._redis, self._settings, now):
            if not claim(self._redis, due):
                continue
            log.debug("due: %s%s", due.name, due.arguments)
            enqueue_due(self._redis, due.name, due.arguments)
            note_asked_for(self._redis, due)

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
        failure_ttl=FAILED_SECONDS,
    )


def is_fresh(job: Job) -> bool:
    """Whether it was put into its queue so lately that a worker may just be taking it."""
    since = job.enqueued_at
    return since is not None and (rq_now() - since).total_seconds() < ON_ITS_WAY_SECONDS
