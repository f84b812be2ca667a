"""Trainings of one line run one after another, those of different lines side by side.

At most one training of a line is in the queue or running. One asked for meanwhile waits outside the
queue, as a saved job, until the first has ended; one asked for after that takes its place, because
a newer snapshot holds all that an older one does. Every change is one transaction that fails if
anything it rests on has changed.
"""

import secrets
from typing import Any

from redis import Redis
from redis.exceptions import WatchError
from rq import Queue, Retry
from rq.exceptions import InvalidJobOperation
from rq.job import Job, JobStatus

from backend import request_id
from backend.jobs.job_queue import RETRIES, find_job
from backend.retraining.training_queue import (
    WAITING,
    active_job,
    last_job_key,
    status,
    train_queue,
    waiting_job,
    waiting_jobs,
    wanted_key,
)
from training.retraining.request import RetrainingRequest

TRAIN_JOB = "training.jobs.retrain"

KEPT_SECONDS = 30 * 24 * 3600
"""How long the queue remembers a training that has ended."""


def enqueue_training(
    redis: Redis, request: RetrainingRequest, seconds: float, *, force: bool = False
) -> str:
    """Enqueue a training, or let it wait for its turn; return what came of it, in words.

    Nothing happens if it is under way or done already, or if newer data are under way.

    Args:
        redis: the queue server.
        request: what to train.
        seconds: longest time of the training.
        force: also train on data that have been trained on.
    """
    while True:
        try:
            return _enqueue(redis, request, seconds, force=force)
        except (WatchError, InvalidJobOperation):
            continue  # another request, or the end of a training, came in between


def _enqueue(redis: Redis, request: RetrainingRequest, seconds: float, *, force: bool) -> str:
    line, job_id = request.line, request.job_id
    with redis.pipeline() as pipeline:
        _watch(pipeline, redis, line, job_id)
        same = find_job(redis, job_id)
        active, waiting = active_job(redis, line), waiting_job(redis, line)
        if same is not None and same in (active, waiting):
            if same == active and waiting is not None and _change(waiting) <= request.change:
                _discard(pipeline, waiting, line)  # the data are what they were before it
                pipeline.execute()
            return f"{job_id} is {'waiting' if same == waiting else status(same).value} already"
        if same is not None and status(same) == JobStatus.FINISHED and not force:
            return f"{job_id} is done already: no annotation has changed since"
        for other in (waiting, active):
            if other is not None and _change(other) > request.change:
                return f"{other.id}, on newer annotations, is on its way already"
        pipeline.multi()
        for old in (same, waiting):
            if old is not None:
                _discard(pipeline, old, line)
        job = _new_job(train_queue(redis), request, seconds)
        if active is None:
            _start(pipeline, job, line)
            words = f"{job_id} is queued: {request.reason}"
        else:
            job.save(pipeline=pipeline)
            pipeline.set(wanted_key(line), job_id)
            words = f"{job_id} waits for {active.id} to end: {request.reason}"
        pipeline.execute()
    return words + _caution(request)


def enqueue_waiting(redis: Redis, line: str) -> None:
    """Enqueue the training of a line that waits, if there is one and its turn has come.

    Called when a training ends, and regularly by every worker in case that worker was killed.
    """
    with redis.pipeline() as pipeline:
        _watch(pipeline, redis, line)
        job = waiting_job(redis, line)
        if job is None or active_job(redis, line) is not None:
            return
        pipeline.multi()
        _start(pipeline, job, line)
        try:
            pipeline.execute()
        except WatchError:
            return  # another process has just done so, or it will be tried again


def enqueue_all_waiting(redis: Redis) -> None:
    """Enqueue the waiting trainings of all lines whose turn has come."""
    for job in waiting_jobs(redis):
        enqueue_waiting(redis, job.meta["line"])


def cancel_waiting(redis: Redis, job: Job) -> bool:
    """Cancel a training that waits for its turn; false if it does not wait any more."""
    line = job.meta["line"]
    with redis.pipeline() as pipeline:
        _watch(pipeline, redis, line)
        if waiting_job(redis, line) != job:
            return False
        pipeline.multi()
        pipeline.delete(wanted_key(line))
        try:
            job.cancel(pipeline=pipeline)
            pipeline.execute()
        except (WatchError, InvalidJobOperation):  # its turn has come, or another took its place
            return False
    return True


def _watch(pipeline: Any, redis: Redis, line: str, *job_ids: str) -> None:
    """Let the transaction fail if the keys of a line, its last job or the named jobs change."""
    pipeline.watch(last_job_key(line), wanted_key(line))
    last: Any = redis.get(last_job_key(line))
    ids = [*job_ids, last.decode()] if last else job_ids
    if ids:
        pipeline.watch(*map(Job.key_for, ids))


def _start(pipeline: Any, job: Job, line: str) -> None:
    train_queue(job.connection).enqueue_job(job, pipeline=pipeline)
    pipeline.set(last_job_key(line), job.id)
    pipeline.delete(wanted_key(line))


def _discard(pipeline: Any, job: Job, line: str) -> None:
    if not pipeline.explicit_transaction:
        pipeline.multi()
    job.delete(pipeline=pipeline)
    pipeline.delete(wanted_key(line))


def _new_job(queue: Queue, request: RetrainingRequest, seconds: float) -> Job:
    values = request.model_copy(update={"job": secrets.token_hex(8)}).model_dump(mode="json")
    return queue.create_job(
        TRAIN_JOB,
        args=(values,),
        job_id=request.job_id,
        status=WAITING,
        description=f"{request.line}: {request.reason}",
        timeout=round(seconds),
        result_ttl=KEPT_SECONDS,
        failure_ttl=KEPT_SECONDS,
        retry=Retry(max=RETRIES),
        meta={"line": request.line, "reason": request.reason} | request_id.taken_along(),
    )


def _change(job: Job) -> int:
    return int(job.args[0]["change"])


def _caution(request: RetrainingRequest) -> str:
    """Return a warning if too few images are held out for the result to be published."""
    held_out, least = request.images.get("holdout", 0), request.options.judge_least
    if held_out >= least:
        return ""
    return f"; only {held_out} images are held out, {least} are needed to publish its result"
