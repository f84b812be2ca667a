"""What is due by the clock, enqueued by workers that know nothing of each other."""

from datetime import timedelta

import pytest
from rq.job import JobStatus

from backend.collectors import periodic_jobs
from backend.jobs.job_queue import ingest_queue
from backend.jobs.schedule import (
    PeriodicJob,
    claim,
    due_periodic,
    enqueue_due,
    not_enqueued,
    note_enqueued,
    put,
)
from backend.settings import load

RECONCILE = "backend.label_studio.ingest.jobs.reconcile"
HOURLY = [PeriodicJob(RECONCILE, 3600)]


def test_a_periodic_job_is_due_once_in_each_stretch_of_time(redis):
    def enqueued(now):
        due = not_enqueued(redis, due_periodic(HOURLY, now))
        for one in due:
            note_enqueued(redis, one)
        return len(due)

    times = (7200, 7300, 10_799, 10_801, 10_802)
    assert [enqueued(time) for time in times] == [1, 0, 0, 1, 0]


def test_what_two_workers_see_at_the_same_moment_only_one_of_them_asks_for(redis):
    """The other would replace a job that a worker has just begun."""
    (first,), (second,) = (due_periodic(HOURLY, 1000.0) for _ in range(2))
    assert first.key == second.key
    assert [claim(redis, one) for one in (first, second)] == [True, False]
    enqueue_due(redis, [second])
    assert ingest_queue(redis).job_ids == []
    redis.delete(f"{first.key}:claimed")  # it runs out, where the first was killed
    enqueue_due(redis, [second])
    assert ingest_queue(redis).job_ids == ["due-reconcile"]


@pytest.mark.parametrize("minutes", [0.004, 0])
def test_looking_more_often_than_every_second_is_borne_and_what_waits_is_tried_again_in_any_case(
    redis, minutes
):
    due = due_periodic(periodic_jobs(load(reconcile_minutes=minutes)), 1000.0)
    enqueue_due(redis, due)
    assert [one.name for one in due] == [RECONCILE]
    assert ingest_queue(redis).job_ids == ["due-reconcile"]


def test_what_is_due_while_the_same_goes_on_waits_for_the_next_time(redis):
    """A long comparison would have others wait behind it, and events behind those."""
    queue = ingest_queue(redis)
    for _ in range(2):
        put(redis, RECONCILE, ())
    assert queue.job_ids == ["due-reconcile"]
    for line in ("a", "b"):
        put(redis, "backend.retraining.jobs.request_training", (line, "the schedule"))
    assert len(queue) == 3
    queue.fetch_job("due-reconcile").set_status(JobStatus.FINISHED)
    queue.remove("due-reconcile")
    put(redis, RECONCILE, ())
    assert "due-reconcile" in queue.job_ids


def test_what_is_due_is_asked_for_again_where_a_killed_worker_took_it_with_it(redis):
    put(redis, RECONCILE, ())
    queue = ingest_queue(redis)
    redis.lpop(queue.key)  # as a worker of two queues does
    put(redis, RECONCILE, ())
    assert queue.job_ids == []  # it may just be on its way
    job = queue.fetch_job("due-reconcile")
    job.enqueued_at -= timedelta(seconds=90)
    job.save()
    put(redis, RECONCILE, ())
    assert queue.job_ids == ["due-reconcile"]
