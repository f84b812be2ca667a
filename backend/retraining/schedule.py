"""Trainings by the clock: the times of a cron expression."""

import json
from typing import Any

from croniter import CroniterBadDateError, croniter
from redis import Redis

from backend.jobs.schedule import DueJob
from backend.retraining.jobs import REQUEST_JOB
from backend.settings import Settings

MARGIN_SECONDS = 7 * 24 * 3600.0
"""Clocks differ, and time stands still for a machine that is suspended."""

FORGOTTEN_SECONDS = 30 * 24 * 3600
"""A schedule that no worker has looked at for this long counts as new: missed times are skipped."""


def due_trainings(redis: Redis, settings: Settings, now: float) -> list[DueJob]:
    """Return requests for training at the latest scheduled time, one for each line.

    Times before a line first had this schedule are not made up for.
    """
    schedule = settings.train_schedule
    if not schedule:
        return []
    time, due = last_time(schedule, now), []
    for line in settings.all_lines:
        since = known_since(redis, line, schedule, now)
        if time is not None and time >= since:
            key = f"dynamite:due:train:{line}:{time:.0f}"
            arguments = (line, "the schedule")
            due.append(DueJob(REQUEST_JOB, arguments, key, until_next(schedule, now)))
    return due


def last_time(schedule: str, now: float) -> float | None:
    """Return the latest time of a cron expression; None if its first is still to come."""
    try:
        return float(croniter(schedule, now).get_prev(float))
    except CroniterBadDateError:
        return None


def until_next(schedule: str, now: float) -> float | None:
    """Return the seconds until the next time, plus a margin; None if there is no further time."""
    try:
        return float(croniter(schedule, now).get_next(float)) - now + MARGIN_SECONDS
    except CroniterBadDateError:
        return None


def known_since(redis: Redis, line: str, schedule: str, now: float) -> float:
    """Return since when a line has had this schedule. One that comes back after another is new."""
    key = f"dynamite:since:train:{line}"
    raw: Any = redis.get(key)
    known, since = json.loads(raw) if raw else (None, now)
    if known != schedule:
        since = now
    redis.set(key, json.dumps([schedule, since]), ex=FORGOTTEN_SECONDS)
    return float(since)
