"""Counts how trainings end. The queue server keeps the counts of each line.

A worker that is killed just after a training costs one count, never a training.
"""

from collections.abc import Mapping
from typing import Any

from redis import Redis
from rq.job import Job, JobStatus

PUBLISHED, REJECTED, FAILED, CANCELLED = VERDICTS = (
    "published",
    "rejected",
    "failed",
    "cancelled",
)
"""How a training ends: its version passed the gate, did not, was not made, or not wanted."""


def note_verdict(redis: Redis, line: str, job: Job) -> None:
    """Count a training of a line, unless it will be tried again."""
    verdict = verdict_on(job)
    if verdict is not None:
        redis.hincrby(_key(line), verdict, 1)


def verdict_on(job: Job) -> str | None:
    """Return how a training ended; None if it has not."""
    status = job.get_status()
    if status == JobStatus.FINISHED:
        result = job.latest_result()
        outcome = result.return_value if result is not None else None
        is_published = isinstance(outcome, Mapping) and outcome.get("published") is True
        return PUBLISHED if is_published else REJECTED
    return {JobStatus.FAILED: FAILED, JobStatus.STOPPED: CANCELLED}.get(status)


def verdicts(redis: Redis, line: str) -> dict[str, int]:
    """Return how many trainings of a line have ended in each way."""
    found: Any = redis.hgetall(_key(line))
    counts = {name.decode(): int(count) for name, count in found.items()}
    return {verdict: counts.get(verdict, 0) for verdict in VERDICTS}


def _key(line: str) -> str:
    return f"dynamite:verdicts:{line}"
