"""What is due by the clock: comparisons with Label Studio, cleaning, trainings by cron expression.

Every worker asks, and the first one claims it. What has been asked for has a key in Redis, set once
its job is in the queue: where a worker is killed between the two, another one asks again later.
"""

import json
from dataclasses import dataclass
from typing import Any

from croniter import CroniterBadDateError, croniter
from redis import Redis

from backend.jobs.job_queue import REQUEST_JOB
from backend.settings import Settings

TRY_AGAIN_MINUTES = 15.0
"""What waits is tried again so often where nothing is compared with Label Studio."""

CLEAN_SECONDS = 6 * 3600.0

CLAIM_SECONDS = 60
"""To put a job into the queue takes milliseconds; after that a claim is a killed worker's."""

MARGIN_SECONDS = 7 * 24 * 3600.0
"""Clocks differ, and time stands still for a machine that is suspended."""

FORGOTTEN_SECONDS = 30 * 24 * 3600
"""After so long a schedule that nobody looked at is a new one, which makes up for nothing."""


@dataclass(frozen=True)
class Due:
    """A job to be enqueued, its arguments, and the key that says for so long that it has been."""

    name: str
    arguments: tuple[str, ...]
    key: str
    seconds: float | None


def due_jobs(redis: "Redis", settings: Settings, now: float) -> list[Due]:
    """The jobs that are due and that nobody has asked for yet."""
    schedule = settings.train_schedule
    slot = last_time(schedule, now) if schedule else None
    often = 60 * (settings.reconcile_minutes or TRY_AGAIN_MINUTES)
    due = [
        regular("backend.label_studio.ingest.jobs.reconcile", now, often),
        regular("backend.label_studio.ingest.jobs.clean", now, CLEAN_SECONDS),
    ]
    for line in settings.all_lines if schedule else ():
        since = known_since(redis, line, schedule, now)
        if slot is not None and slot >= since:
            key = f"dynamite:due:train:{line}:{slot:.0f}"
            due.append(Due(REQUEST_JOB, (line, "the schedule"), key, until_next(schedule, now)))
    return [one for one in due if not redis.exists(one.key)]


def claim(redis: "Redis", due: Due) -> bool:
    """Whether nobody else is about to put a job into the queue at this moment."""
    return bool(redis.set(f"{due.key}:claimed", 1, nx=True, ex=CLAIM_SECONDS))


def note_asked_for(redis: "Redis", due: Due) -> None:
    """Remember that a job is in the queue."""
    redis.set(due.key, 1, ex=None if due.seconds is None else max(1, round(due.seconds)))


def regular(name: str, now: float, seconds: float) -> Due:
    """A job once in each stretch of ``seconds``."""
    return Due(name, (), f"dynamite:due:{name}:{int(now // seconds)}", 2 * seconds)


def last_time(schedule: str, now: float) -> float | None:
    """The latest time of a cron expression; None if its first is still to come."""
    try:
        return float(croniter(schedule, now).get_prev(float))
    except CroniterBadDateError:
        return None


def until_next(schedule: str, now: float) -> float | None:
    """How long ``last_time`` stays the same, and a margin; None where no other time comes."""
    try:
        return float(croniter(schedule, now).get_next(float)) - now + MARGIN_SECONDS
    except CroniterBadDateError:
        return None


def known_since(redis: "Redis", line: str, schedule: str, now: float) -> float:
    """Since when a line has had this schedule; one that comes back after another is a new one."""
    key = f"dynamite:since:train:{line}"
    raw: Any = redis.get(key)
    known, since = json.loads(raw) if raw else (None, now)
    if known != schedule:
        since = now
    redis.set(key, json.dumps([schedule, since]), ex=FORGOTTEN_SECONDS)
    return float(since)
