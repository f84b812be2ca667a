"""Trainings that somebody asks for: once per data snapshot."""

import secrets
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import WatchError
from rq import Retry
from rq.exceptions import NoSuchJobError
from rq.job import Dependency

from backend.retraining.training_queue import (
    AHEAD,
    find_job,
    free_waiting,
    jobs_ahead,
    last_job_key,
    train_queue,
)
from backend.settings import Settings

TRAIN_JOB = "training.jobs.retrain"
ATTEMPTS_MORE = 5
KEPT_SECONDS = 30 * 24 * 3600

LOCK_SECONDS = 30
"""How long somebody who asks for a training keeps others of the same line waiting, at most."""


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
        return f"{request.job_id} is {status.value} already"
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
