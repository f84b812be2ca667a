"""Processes the events that wait in the queue in one process: starting one takes longer."""

import logging
import time
from collections.abc import Callable

from rq.timeouts import JobTimeoutException

from backend.jobs.job_queue import ingest_queue
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.ingest import Ingest
from backend.label_studio.ingest.jobs import EVENT_JOB

log = logging.getLogger(__name__)

SECONDS = 30.0
"""How long one job continues with others; then its worker gets to its other duties."""


def process_queued(ingest: Ingest, clock: Callable[[], float] = time.monotonic) -> int:
    """Process the events in the queue until none is left or the time is up; return how many.

    A job leaves the queue once its event is processed. So this process may be killed, and another
    one may start with the same event: an event may come twice. An event that fails stays in the
    queue; its own job will say why.
    """
    queue = ingest_queue(ingest.redis)
    until, count = clock() + SECONDS, 0
    for job_id in queue.get_job_ids():
        if clock() > until:
            break
        job = queue.fetch_job(job_id)
        if job is None or job.func_name != EVENT_JOB:
            continue
        try:
            process_event(job.args[0], ingest)
        except JobTimeoutException:
            raise
        except Exception as error:
            log.warning("the event of job %s is left in the queue: %s", job_id, error)
            continue
        if queue.remove(job_id):  # else another worker has it
            job.delete()
            count += 1
    return count
