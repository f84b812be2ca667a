"""The state of retraining, for the status page, /versions and the command line."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry

from backend.jobs.job_queue import find_job
from backend.retraining.enqueueing import KEPT_SECONDS
from backend.retraining.training_queue import (
    CANCELLED,
    WAITING,
    last_job,
    last_job_ids,
    train_queue,
    waiting_jobs,
)
from backend.retraining.training_queue import status as fetched_status

WORDS = {WAITING: "waiting", JobStatus.STOPPED: CANCELLED, JobStatus.CANCELED: CANCELLED}
"""Our words for states of a job that rq calls otherwise."""

BACKLOG_KEY = "dynamite:backlog"


@dataclass(frozen=True)
class TrainingState:
    """One training job; a field is None where it does not apply or is not known.

    Attributes:
        job: Id of the job.
        status: ``waiting`` for the one before it, ``queued``, ``started``, ``finished``, ``failed``
            or ``cancelled``.
        reason: Why it was requested.
        when: When it ended, else was started, enqueued or requested (UTC).
        phase: What a started job does, or did until it was cancelled.
        done: How much of the phase is done,
        total: of how much,
        seconds_left: and the seconds left.
        version: Version that a finished job made.
        verdict: Verdict on that version.
        error: Why a failed job failed.
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
        """What there is to say about it, in a line."""
        if self.status == "waiting":
            return "until the training before it has ended"
        if self.status == "started" and self.phase:
            left = "" if self.seconds_left is None else f", {duration(self.seconds_left)} left"
            return f"{self.phase} {self.done} of {self.total}{left}"
        if self.status == CANCELLED and self.phase:
            return f"while {self.phase}; if requested again, it continues from its last checkpoint"
        return self.verdict or self.error or ""


@dataclass(frozen=True)
class Asked:
    """The latest request for a training: when (UTC), why, and what came of it."""

    when: str
    reason: str
    outcome: str


@dataclass(frozen=True)
class Backlog:
    """What was accepted but is not in use.

    Attributes:
        waiting: Number of events that wait,
        waits_for: and the reason of the last one.
        set_aside: Number of annotations or regions that were set aside,
        set_aside_for: and the reason of the last one.
        no_mask: Number of annotations with clicks and no mask, which are among those,
        no_mask_in: and the tasks of the last ones.
    """

    waiting: int
    waits_for: str
    set_aside: int
    set_aside_for: str
    no_mask: int = 0
    no_mask_in: str = ""


def duration(seconds: int) -> str:
    """Format a time for people, as in 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def describe(job: Job) -> TrainingState:
    """Describe a job as it stands."""
    found = fetched_status(job)
    status = WORDS.get(found, str(found.value))
    progress: dict[str, Any] = job.meta.get("progress") or {}
    result = job.latest_result() if status in ("finished", "failed") else None
    outcome = result.return_value if result is not None and status == "finished" else None
    error = None
    if status == "failed":
        trace = result.exc_string if result is not None else None
        error = job.meta.get("error") or (trace or "it ended without a message").splitlines()[-1]
    time = job.ended_at or job.started_at or job.enqueued_at or job.created_at
    return TrainingState(
        job=job.id,
        status=status,
        reason=str(job.meta.get("reason", "")),
        when=(time or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S"),
        phase=progress.get("phase") if status in ("started", CANCELLED) else None,
        done=progress.get("done"),
        total=progress.get("total"),
        seconds_left=progress.get("seconds_left"),
        version=outcome.get("version") if isinstance(outcome, dict) else None,
        verdict=outcome.get("verdict") if isinstance(outcome, dict) else None,
        error=error,
    )


def last_training(redis: Redis, line: str) -> TrainingState | None:
    """Return the training of a line that was enqueued last; None if there is none, or no answer."""
    try:
        job = last_job(redis, line)
        return None if job is None else describe(job)
    except (RedisError, OSError):
        return None


def note_asked(redis: Redis, line: str, reason: str, outcome: str) -> None:
    """Remember what came of a request for a training."""
    asked = Asked(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}", reason, outcome)
    redis.set(asked_key(line), json.dumps(asdict(asked)), ex=KEPT_SECONDS)


def last_asked(redis: Redis, line: str) -> Asked | None:
    """Return the latest request for a training; None if there is none, or no answer."""
    try:
        raw: Any = redis.get(asked_key(line))
        return Asked(**json.loads(raw)) if raw else None
    except (RedisError, OSError):
        return None


def note_backlog(redis: Redis, backlog: Backlog) -> None:
    """Remember what is not in use, for processes that cannot read the store."""
    redis.set(BACKLOG_KEY, json.dumps(asdict(backlog)))


def last_backlog(redis: Redis) -> Backlog | None:
    """Return the backlog as a worker last saw it; None if none has, or the server is away."""
    try:
        raw: Any = redis.get(BACKLOG_KEY)
        return Backlog(**json.loads(raw)) if raw else None
    except (RedisError, OSError):
        return None


def asked_key(line: str) -> str:
    """Return the key of a line's latest request."""
    return f"dynamite:asked:{line}"


def all_trainings(redis: Redis) -> list[TrainingState]:
    """Return every training that the queue remembers, the newest first."""
    queue = train_queue(redis)
    ids = [*last_job_ids(redis), *queue.get_job_ids()]
    for kind in (StartedJobRegistry, FinishedJobRegistry, FailedJobRegistry):
        ids += kind(queue=queue).get_job_ids(cleanup=False)
    found = (find_job(redis, job_id) for job_id in dict.fromkeys(ids))
    jobs = [*waiting_jobs(redis), *(job for job in found if job is not None)]
    return sorted((describe(job) for job in jobs), key=lambda state: state.when, reverse=True)
