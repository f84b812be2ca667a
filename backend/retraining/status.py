"""How retraining stands: for the status page, /versions and the command line."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job
from rq.registry import (
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    StartedJobRegistry,
)

from backend.retraining.requests import KEPT_SECONDS
from backend.retraining.training_queue import find_job, last_job, train_queue

BACKLOG_KEY = "dynamite:backlog"


@dataclass(frozen=True)
class TrainingState:
    """One training job.

    ``phase``, ``done``, ``total`` and ``seconds_left`` are of a job that goes on, ``verdict`` of
    one that is finished, ``error`` of one that failed; None where not known.
    """

    job: str
    status: str
    reason: str
    when: str
    phase: str | None = None
    done: int | None = None
    total: int | None = None
    seconds_left: int | None = None
    version: str | None = None
    verdict: str | None = None
    error: str | None = None

    @property
    def words(self) -> str:
        """What is to be said about it, in a line."""
        if self.status == "started" and self.phase:
            left = "" if self.seconds_left is None else f", {duration(self.seconds_left)} left"
            return f"{self.phase} {self.done} of {self.total}{left}"
        return self.verdict or self.error or ""


@dataclass(frozen=True)
class Asked:
    """Somebody asked for a training: when (UTC), why, and what came of it."""

    when: str
    reason: str
    outcome: str


@dataclass(frozen=True)
class Backlog:
    """What is accepted but not in use: events that wait, annotations or regions set aside.

    Each with how many there are and the last one's reason.
    """

    waiting: int
    waits_for: str
    set_aside: int
    set_aside_for: str


def duration(seconds: int) -> str:
    """A time for people: 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def describe(job: Job) -> TrainingState:
    """A job as it stands."""
    status = str(job.get_status().value)
    progress: dict[str, Any] = job.meta.get("progress") or {}
    result = job.latest_result() if status in ("finished", "failed") else None
    outcome = result.return_value if result is not None and status == "finished" else None
    error = None
    if status == "failed":
        trace = result.exc_string if result is not None else None
        error = job.meta.get("error") or (trace or "it ended without a word").splitlines()[-1]
    time = job.ended_at or job.started_at or job.enqueued_at or job.created_at
    return TrainingState(
        job=job.id,
        status=status,
        reason=str(job.meta.get("reason", "")),
        when=(time or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S"),
        phase=progress.get("phase") if status == "started" else None,
        done=progress.get("done"),
        total=progress.get("total"),
        seconds_left=progress.get("seconds_left"),
        version=outcome.get("version") if isinstance(outcome, dict) else None,
        verdict=outcome.get("verdict") if isinstance(outcome, dict) else None,
        error=error,
    )


def last_training(redis: "Redis", line: str) -> TrainingState | None:
    """The last training of a line that was asked for; None if none, or nobody can be asked."""
    try:
        job = last_job(redis, line)
        return None if job is None else describe(job)
    except (RedisError, OSError):
        return None


def note_asked(redis: "Redis", line: str, reason: str, outcome: str) -> None:
    """Remember what came of asking for a training."""
    asked = Asked(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}", reason, outcome)
    redis.set(asked_key(line), json.dumps(asdict(asked)), ex=KEPT_SECONDS)


def last_asked(redis: "Redis", line: str) -> Asked | None:
    """What came of asking last; None if nobody has, or nobody can be asked."""
    try:
        raw: Any = redis.get(asked_key(line))
        return Asked(**json.loads(raw)) if raw else None
    except (RedisError, OSError):
        return None


def note_backlog(redis: "Redis", backlog: Backlog) -> None:
    """Remember what is not in use, for those who cannot look into the store."""
    redis.set(BACKLOG_KEY, json.dumps(asdict(backlog)))


def last_backlog(redis: "Redis") -> Backlog | None:
    """What was not in use when a worker looked last; None if none has, or nobody can be asked."""
    try:
        raw: Any = redis.get(BACKLOG_KEY)
        return Backlog(**json.loads(raw)) if raw else None
    except (RedisError, OSError):
        return None


def asked_key(line: str) -> str:
    """Where that is kept."""
    return f"dynamite:asked:{line}"


def all_trainings(redis: "Redis") -> list[TrainingState]:
    """Every training that the queue remembers, the newest first."""
    queue = train_queue(redis)
    ids = list(queue.get_job_ids())
    for kind in (StartedJobRegistry, DeferredJobRegistry, FinishedJobRegistry, FailedJobRegistry):
        ids += kind(queue=queue).get_job_ids(cleanup=False)
    jobs = [job for job in (find_job(redis, job_id) for job_id in dict.fromkeys(ids)) if job]
    return sorted((describe(job) for job in jobs), key=lambda state: state.when, reverse=True)
