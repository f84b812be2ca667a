"""Trainings by cron expression, asked for by workers that know nothing of each other."""

from datetime import UTC, datetime, timedelta

import pytest
from croniter import CroniterBadCronError

from backend.jobs.schedule import not_enqueued, note_enqueued
from backend.retraining.schedule import due_trainings
from backend.settings import load

HOUR = 3600.0
DAY = 24 * HOUR


def asked_for(redis, settings, now):
    """The lines that a worker asks trainings for at that time."""
    due = not_enqueued(redis, due_trainings(redis, settings, now))
    for one in due:
        note_enqueued(redis, one)
    return [one.arguments for one in due]


def trainings(redis, now, schedule):
    return len(asked_for(redis, load(train_schedule=schedule), now))


def test_two_schedulers_do_not_double_what_is_due(redis, queue_server):
    settings = load(redis_url=queue_server, train_schedule="0 2 * * *", lines="cells=7")
    day = 20_000 * DAY
    assert asked_for(redis, settings, day + HOUR) == []
    both = [("cells", "the schedule"), ("shared", "the schedule")]
    assert asked_for(redis, settings, day + 2 * HOUR + 1) == both
    assert asked_for(redis, settings, day + 2 * HOUR + 2) == []
    assert asked_for(redis, settings, day + 26 * HOUR + 1) == both


def test_without_a_schedule_nothing_is_due(redis):
    assert due_trainings(redis, load(), 20_000 * DAY) == []


def test_what_did_not_reach_the_queue_is_due_still(redis):
    settings = load(train_schedule="0 2 * * *")
    due_trainings(redis, settings, 20_000 * DAY)
    now = 20_000 * DAY + 3 * HOUR
    first, second = (
        [one.key for one in not_enqueued(redis, due_trainings(redis, settings, now + s))]
        for s in (0, 1)
    )
    assert first == second
    assert any(":train:" in key for key in first)


def test_a_schedule_missed_while_all_was_down_is_made_up_for_but_not_one_before_the_first_start(
    redis,
):
    day = 20_000 * DAY
    assert trainings(redis, day + 12 * HOUR, "0 2 * * *") == 0
    assert trainings(redis, day + 36 * HOUR, "0 2 * * *") == 1  # down at two, back at noon
    assert trainings(redis, day + 37 * HOUR, "0 2 * * *") == 0


def test_a_time_is_served_once_however_far_the_next_one_is(redis):
    """Looked at for a quarter of a year, as the keys in Redis run out meanwhile."""
    served, now = [], datetime(2026, 1, 15, tzinfo=UTC)
    step = timedelta(hours=6)
    while now < datetime(2026, 4, 15, tzinfo=UTC):
        if trainings(redis, now.timestamp(), "0 3 1 * *"):
            served.append((now.month, now.day, now.hour))
        for key in redis.keys("dynamite:due:*"):
            left = redis.ttl(key) - step.total_seconds()
            redis.expire(key, int(left)) if left > 0 else redis.delete(key)
        now += step
    assert served == [(2, 1, 6), (3, 1, 6), (4, 1, 6)]


def test_a_schedule_that_was_changed_makes_up_for_nothing_before_that(redis):
    day = 20_000 * DAY
    assert trainings(redis, day, "0 3 * * *") == 0
    assert trainings(redis, day + 27 * HOUR, "0 3 * * *") == 1
    assert trainings(redis, day + 40 * HOUR, "0 5 * * *") == 0
    assert trainings(redis, day + 54 * HOUR, "0 5 * * *") == 1
    (known,) = redis.keys("dynamite:since:*")
    assert redis.ttl(known) > 29 * DAY


def test_a_schedule_that_comes_back_after_another_makes_up_for_nothing_either(redis):
    day = 20_000 * DAY
    assert trainings(redis, day, "0 3 * * *") == 0
    assert trainings(redis, day + HOUR, "0 3 1 1 *") == 0
    assert trainings(redis, day + 12 * HOUR, "0 3 * * *") == 0
    assert trainings(redis, day + 28 * HOUR, "0 3 * * *") == 1


def test_a_schedule_whose_first_time_is_to_come_keeps_nothing_else_waiting(redis):
    schedule = "0 3 1 1 * 0 2030"
    first = datetime(2030, 1, 1, 3, tzinfo=UTC).timestamp()
    assert trainings(redis, first - HOUR, schedule) == 0
    assert trainings(redis, first + 5, schedule) == 1
    assert trainings(redis, first + 300 * DAY, schedule) == 0


def test_nothing_is_asked_for_when_the_schedule_cannot_be_understood(redis):
    settings = load().model_copy(update={"train_schedule": "at noon"})
    with pytest.raises(CroniterBadCronError):
        due_trainings(redis, settings, 0)
