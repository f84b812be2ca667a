"""Many waiting events in one process: starting one takes longer than dealing with an event."""

import logging
import time
from collections.abc import Callable

from rq.timeouts import JobTimeoutException

from backend.jobs.job_queue import ingest_queue
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.events import take
from backend.label_studio.ingest.jobs import EVENT_JOB

log = logging.getLogger(__name__)

SECONDS = 30.0
"""How long one job goes on with others; its worker looks after other things then."""


def take_along(context: Context, clock: Callable[[], float] = time.monotonic) -> int:
    """Deal with the events that wait behind one's own, until none is left or the time is up.

    A job leaves the queue when its event is in the store, so it makes no difference if this process
    is killed, or another one has begun with the same: an event may come twice. One that fails is
    left to a job of its own, which says why. Returns how many there were.
    """
    queue = ingest_queue(context.redis)
    until, count = clock() + SECONDS, 0
    for job_id in queue.get_job_ids():
        if clock() > until:
            break
        job = queue.fetch_job(job_id)
        if job is None or job.func_name != EVENT_JOB:
            continue
        try:
            take(job.args[0], context)
        except JobTimeoutException:
            raise
        except Exception as error:
            log.warning("the event of job %s is left to itself: %s", job_id, error)
            continue
        if queue.remove(job_id):  # else another worker has it
            job.delete()
            count += 1
    return count
