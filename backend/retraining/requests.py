"""Trainings in the queue: asked for once per data snapshot, one at a time per line of models."""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis import Redis
from redis.exceptions import WatchError
from rq import Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Dependency, Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now

from backend.job_queue import TRAIN
from backend.settings import Settings

TRAIN_JOB = "training.jobs.retrain"
ATTEMPTS_MORE = 5
KEPT_SECONDS = 30 * 24 * 3600

LOCK_SECONDS = 30
"""How long somebody who asks for a training keeps others of the same line waiting, at most."""

LOST_END_SECONDS = 60
"""So long after the end of a job what waits for it would have been set going."""

AHEAD = ("queued", "started", "deferred", "scheduled", "ready_to_enqueue")


@dataclass(frozen=True)
class TrainingRequest:
    """A training that somebody wants; ``images`` of the snapshot by part."""

    line: str
    reason: str
    digest: str
    snapshot: str
    images: dict[str, int]
    models: str
    run: str
    settings: Settings
    begun: bool = False
    """Whether the folder ``models`` is known to have had versions: empty, it is not mounted."""

    @property
    def job_id(self) -> str:
        """The same for the same line and data."""
        return f"train-{self.line}-{self.digest}"

    @property
    def caution(self) -> str:
        """What is to be said at once of a training that nothing can come of; else empty."""
        held_out, least = self.images.get("holdout", 0), self.settings.judge_least
        if held_out >= least:
            return ""
        return f"; only {held_out} images are held out, {least} are needed to publish its result"

    def arguments(self) -> dict[str, Any]:
        """What ``training.jobs.retrain`` is told; JSON."""
        s = self.settings
        return {
            "line": self.line,
            "reason": self.reason,
            "digest": self.digest,
            "snapshot": self.snapshot,
            "images": self.images,
            "models": self.models,
            "run": self.run,
            "begun": self.begun,
            "preset": s.preset,
            "checkpoint": str(s.checkpoint.resolve()) if s.checkpoint else None,
            "steps": s.train_steps,
            "batch": s.train_batch,
            "crop": s.train_crop,
            "rate": s.train_rate,
            "base_sets": list(s.train_base_sets),
            "base_root": str(s.train_base_root.resolve()) if s.train_base_root else None,
            "base_ratio": s.train_base_ratio,
            "unchanged_weight": s.unchanged_weight,
            "hosts": s.train_hosts,
            "gate": {
                "least": s.judge_least,
                "most": s.judge_most,
                "margin": s.judge_margin,
                "tolerance": s.judge_tolerance,
                "budget": s.judge_budget,
            },
            "judge_base_set": s.judge_base_set,
            "keep_versions": s.keep_versions,
        }


def last_job_key(line: str) -> str:
    """Where the id of a line's last training is."""
    return f"dynamite:training:{line}"


def trainings(queue: Queue) -> list[Job]:
    """Those that are the last of their line, or that others wait for; none of another queue."""
    redis = queue.connection
    if queue.name != TRAIN:
        return []
    last: Any = [redis.get(key) for key in redis.scan_iter(last_job_key("*"), count=1000)]
    ids = {raw.decode() for raw in last if raw}
    for job in map(partial(find_job, redis), waiting(queue)):
        ids.update(job.dependency_ids if job else ())
    return [job for job in map(partial(find_job, redis), sorted(ids)) if job is not None]


def train_queue(redis: "Redis") -> Queue:
    """The queue of trainings."""
    return Queue(TRAIN, connection=redis, serializer=JSONSerializer)


def find_job(redis: "Redis", job_id: str) -> Job | None:
    """A job by its id, None if it is forgotten."""
    try:
        return Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    except NoSuchJobError:
        return None


def last_job(redis: "Redis", line: str) -> Job | None:
    """The last training of a line that was asked for."""
    raw: Any = redis.get(last_job_key(line))
    return find_job(redis, raw.decode()) if raw else None


def jobs_ahead(redis: "Redis", line: str) -> list[Job]:
    """The trainings of a line that go on or wait for their turn, in the order they were asked for.

    One that its worker had taken and not begun is in no list; it is known if it is the last.
    """
    queue, last = train_queue(redis), last_job(redis, line)
    jobs = [last, *(find_job(redis, one) for one in [*begun(queue), *waiting(queue)])]
    found = {job.id: job for job in jobs if job is not None and job.meta.get("line") == line}
    ahead = [job for job in found.values() if job.get_status() in AHEAD]
    return sorted(ahead, key=lambda job: job.created_at)


def begun(queue: Queue) -> list[str]:
    """The ids of the jobs that go on, or will as soon as there is a worker."""
    started = queue.started_job_registry.get_job_ids(cleanup=False)
    return [*queue.get_job_ids(), *queue.intermediate_queue.get_job_ids(), *started]


def waiting(queue: Queue) -> list[str]:
    """The ids of the jobs that wait for others."""
    found: list[str] = queue.deferred_job_registry.get_job_ids(cleanup=False)
    return found


def is_training(redis: "Redis", line: str) -> bool:
    """Whether a training of a line is going on or waits for its turn."""
    return bool(jobs_ahead(redis, line))


def enqueue_training(redis: "Redis", request: TrainingRequest, *, force: bool = False) -> str:
    """Put a training into the queue unless it is there or done; what came of it, in words."""
    with redis.lock(f"dynamite:asking:{request.line}", timeout=LOCK_SECONDS):
        while True:
            try:
                return _enqueue(redis, request, force=force)
            except (WatchError, NoSuchJobError):
                continue  # the one before it has just ended, or was deleted


def _enqueue(redis: "Redis", request: TrainingRequest, *, force: bool) -> str:
    job = find_job(redis, request.job_id)
    status = None if job is None else job.get_status()
    if status in AHEAD:
        return f"{request.job_id} is {status} already"
    if status == "finished" and not force:
        return f"{request.job_id} is done already: no annotation has changed since"
    queue = train_queue(redis)
    free_waiting(queue)  # or one that waits for a job of this id, and this one, wait for each other
    if job is not None:
        job.delete()
    ahead = jobs_ahead(redis, request.line)
    with redis.pipeline() as pipeline:  # or a training that nobody knows as the last would wait
        queue.enqueue(
            TRAIN_JOB,
            request.arguments() | {"job": secrets.token_hex(8)},
            job_id=request.job_id,
            description=f"{request.line}: {request.reason}",
            depends_on=Dependency(ahead[-1:], allow_failure=True) if ahead else None,
            job_timeout=round(request.settings.train_hours * 3600),
            result_ttl=KEPT_SECONDS,
            failure_ttl=KEPT_SECONDS,
            retry=Retry(max=ATTEMPTS_MORE),
            meta={"line": request.line, "reason": request.reason},
            pipeline=pipeline,
        )
        pipeline.set(last_job_key(request.line), request.job_id)
        pipeline.execute()
    return f"{request.job_id} is queued: {request.reason}{request.caution}"


def free_waiting(queue: Queue) -> None:
    """Jobs wait no longer for one that was cancelled, stopped or deleted, or whose end was lost.

    But one at a time: while another of its line goes on, a job still waits.

    Raises:
        WatchError: somebody else changed what waits at this moment.
    """
    redis, key = queue.connection, queue.deferred_job_registry.key
    for job_id in waiting(queue):
        with redis.pipeline() as pipeline:
            pipeline.watch(key)  # type: ignore[no-untyped-call]
            job = find_job(redis, job_id)
            if job is None or pipeline.zscore(key, job_id) is None:
                continue
            others = [find_job(redis, one) for one in begun(queue)]
            lines = {other.meta.get("line") for other in others if other is not None}
            if job.meta.get("line") in lines:
                continue
            if all(_is_over(find_job(redis, other)) for other in job.dependency_ids):
                pipeline.multi()
                queue._enqueue_job(job, pipeline=pipeline)  # out of one list and into the other
                pipeline.execute()


def _is_over(job: Job | None) -> bool:
    """Whether rq will not set going what waits for this job.

    Where one ends it does, unless its worker is killed at that very moment.
    """
    if job is None:
        return True
    status = job.get_status()
    if status in (JobStatus.FAILED, JobStatus.FINISHED):
        ended = job.ended_at
        return ended is None or (now() - ended).total_seconds() > LOST_END_SECONDS
    return status in (JobStatus.CANCELED, JobStatus.STOPPED)
