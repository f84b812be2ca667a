"""Processes the events that wait in the queue in one process: starting one takes longer."""

import logging
import time
from collections.abc import Callable, Iterator

from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.timeouts import JobTimeoutException

from backend import request_id
from backend.errors import BadRequestError
from backend.jobs.job_queue import CLAIM, ingest_queue
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.ingest import Ingest
from backend.label_studio.ingest.job_names import EVENT_JOB

log = logging.getLogger(__name__)

SECONDS = 30.0
"""How long one job continues with others; then its worker gets to its other duties."""

AT_ONCE = 16
"""So many jobs are taken before the queue is looked at again."""

MOVE_LAST = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then
    redis.call('RPUSH', KEYS[1], ARGV[1])
end
"""
"""Script of the queue server: a kill, or another worker, must not come between the two."""


def process_queued(ingest: Ingest, clock: Callable[[], float] = time.monotonic) -> int:
    """Process the events in the queue until none is left or the time is up; return how many.

    A job leaves the queue once its event is processed or refused as malformed. So this process may
    be killed, and another one may start with the same event: an event may come twice. An event that
    fails goes to the end of the queue, where it delays no other; its own job will say why.
    """
    queue, own = ingest_queue(ingest.redis), request_id.current()
    until, count, refusals = clock() + SECONDS, 0, []
    for job_id in _by_urgency(queue):
        if clock() > until:
            break
        job = queue.fetch_job(job_id)
        if job is None or not _is_event(job):
            continue
        request_id.follow_in(job.meta)
        try:
            process_event(_event_of(job), ingest)
        except BadRequestError as error:  # another attempt would not help
            refusals.append(str(error))
        except JobTimeoutException:
            raise
        except Exception as error:
            log.warning("the event of job %s is left in the queue: %s", job_id, error)
            _move_last(queue, job_id)
            continue
        if queue.remove(job_id):  # else another worker has it
            job.delete()
            count += 1
    request_id.follow(own)
    if refusals:
        log.warning("%d events are refused; the last: %s", len(refusals), refusals[-1])
    return count


def _by_urgency(queue: Queue) -> Iterator[str]:
    """Yield the ids of the jobs in a queue, once each, those that come meanwhile as well.

    Events that prove themselves come first, in their order. The others follow, the newest first:
    their order does not matter, because Label Studio is asked, and a flood of them delays none that
    comes after it.
    """
    seen: set[str] = set()
    while waiting := [job_id for job_id in queue.get_job_ids() if job_id not in seen]:
        proven = [job_id for job_id in waiting if not job_id.startswith(CLAIM)]
        for job_id in (proven or waiting[::-1])[:AT_ONCE]:
            seen.add(job_id)
            yield job_id


def _is_event(job: Job) -> bool:
    """Return whether a job is that of an event. One that cannot be read is the worker's affair."""
    try:
        return job.func_name == EVENT_JOB
    except DeserializationError:
        return False


def _event_of(job: Job) -> object:
    if len(job.args) != 1 or job.kwargs:
        raise BadRequestError(f"the job has {len(job.args)} arguments instead of an event")
    return job.args[0]


def _move_last(queue: Queue, job_id: str) -> None:
    """Move a job to the end of its queue, unless a worker has taken it meanwhile."""
    queue.connection.eval(MOVE_LAST, 1, queue.key, job_id)
