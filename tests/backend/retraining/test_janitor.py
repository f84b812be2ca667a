import time
from datetime import UTC, datetime, timedelta

import pytest
from croniter import CroniterBadCronError
from rq import Queue
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from backend.job_queue import requeue_failed
from backend.retraining.janitor import Janitor, due_jobs, enqueue_due
from backend.settings import load

HOUR = 3600.0


def test_two_schedulers_do_not_double_what_is_due(redis, queue_server):
    settings = load(redis_url=queue_server, train_schedule="0 2 * * *", lines="cells=7")
    day = 20_000 * 24 * HOUR
    assert ("backend.ingest.reconcile", ()) in due_jobs(redis, settings, day + HOUR)
    first = due_jobs(redis, settings, day + 2 * HOUR + 1)
    second = due_jobs(redis, settings, day + 2 * HOUR + 2)
    trainings = [args for name, args in first if name.endswith("request_training")]
    assert trainings == [("cells", "the schedule"), ("shared", "the schedule")]
    assert second == []
    again = due_jobs(redis, settings, day + 26 * HOUR + 1)
    assert sum(name.endswith("request_training") for name, _ in again) == 2


def test_a_schedule_missed_while_all_was_down_is_made_up_for_but_not_one_before_the_first_start(
    redis, queue_server
):
    settings = load(redis_url=queue_server, train_schedule="0 2 * * *", reconcile_minutes=0)
    day = 20_000 * 24 * HOUR

    def trainings(now):
        return sum(n.endswith("request_training") for n, _ in due_jobs(redis, settings, now))

    assert trainings(day + 12 * HOUR) == 0
    assert trainings(day + 36 * HOUR) == 1  # down at two o'clock, back at noon
    assert trainings(day + 37 * HOUR) == 0


def trainings_due(redis, now, schedule):
    settings = load(train_schedule=schedule, reconcile_minutes=0)
    return sum(name.endswith("request_training") for name, _ in due_jobs(redis, settings, now))


def test_a_schedule_that_was_changed_makes_up_for_nothing_before_that(redis):
    day = 20_000 * 24 * HOUR
    assert trainings_due(redis, day, "0 3 * * *") == 0
    assert trainings_due(redis, day + 27 * HOUR, "0 3 * * *") == 1
    assert trainings_due(redis, day + 40 * HOUR, "0 5 * * *") == 0
    assert trainings_due(redis, day + 54 * HOUR, "0 5 * * *") == 1
    (known,) = redis.keys("dynamite:since:*")
    assert redis.ttl(known) > 29 * 24 * HOUR


def test_a_schedule_that_comes_back_after_another_makes_up_for_nothing_either(redis):
    day = 20_000 * 24 * HOUR
    assert trainings_due(redis, day, "0 3 * * *") == 0
    assert trainings_due(redis, day + HOUR, "0 3 1 1 *") == 0
    assert trainings_due(redis, day + 12 * HOUR, "0 3 * * *") == 0
    assert trainings_due(redis, day + 28 * HOUR, "0 3 * * *") == 1


def test_a_schedule_whose_first_time_is_to_come_keeps_nothing_else_waiting(redis):
    settings = load(train_schedule="0 3 1 1 * 0 2030")
    first = datetime(2030, 1, 1, 3, tzinfo=UTC).timestamp()
    names = [name for name, _ in due_jobs(redis, settings, first - HOUR)]
    assert names == ["backend.ingest.reconcile", "backend.ingest.clean"]
    assert trainings_due(redis, first + 5, "0 3 1 1 * 0 2030") == 1


def test_nothing_is_taken_as_done_when_the_schedule_cannot_be_understood(redis):
    settings = load()
    settings = settings.model_copy(update={"train_schedule": "at noon"})
    with pytest.raises(CroniterBadCronError):
        due_jobs(redis, settings, 0)
    assert redis.keys("dynamite:due:*") == []


def test_looking_more_often_than_every_second_is_borne(redis):
    settings = load(reconcile_minutes=0.004)
    assert ("backend.ingest.reconcile", ()) in due_jobs(redis, settings, 1000.0)


def test_what_is_due_reaches_a_json_worker(redis, queue_server):
    settings = load(redis_url=queue_server)
    janitor = Janitor(settings, ["ingest"])
    janitor.look_around()
    jobs = Queue("ingest", connection=redis, serializer=JSONSerializer).jobs
    assert {job.func_name for job in jobs} == {"backend.ingest.reconcile", "backend.ingest.clean"}


def test_what_is_due_while_the_same_goes_on_waits_for_the_next_time(redis):
    """A long comparison would have others wait behind it, and events behind those."""
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    for _ in range(2):
        enqueue_due(redis, "backend.ingest.reconcile", ())
    assert queue.job_ids == ["due-reconcile"]
    for line in ("a", "b"):
        enqueue_due(redis, "backend.ingest.request_training", (line, "the schedule"))
    assert len(queue) == 3
    queue.fetch_job("due-reconcile").set_status(JobStatus.FINISHED)
    queue.remove("due-reconcile")
    enqueue_due(redis, "backend.ingest.reconcile", ())
    assert "due-reconcile" in queue.job_ids


def test_what_is_due_is_asked_for_again_where_a_killed_worker_took_it_with_it(redis):
    enqueue_due(redis, "backend.ingest.reconcile", ())
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    redis.lpop(queue.key)  # as a worker of two queues does
    enqueue_due(redis, "backend.ingest.reconcile", ())
    assert queue.job_ids == []  # it may just be on its way
    job = queue.fetch_job("due-reconcile")
    job.enqueued_at -= timedelta(seconds=90)
    job.save()
    enqueue_due(redis, "backend.ingest.reconcile", ())
    assert queue.job_ids == ["due-reconcile"]


def test_a_scheduled_request_for_a_training_that_failed_is_made_again(redis):
    """The worker was killed, say, or the snapshot met a full disk: the night would be lost."""
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    enqueue_due(redis, "backend.ingest.request_training", ("a", "the schedule"))
    job = queue.jobs[0]
    assert job.retries_left
    queue.remove(job)
    queue.failed_job_registry.add(job)
    assert requeue_failed(redis) == 1
    assert queue.job_ids == [job.id]


def test_a_job_taken_but_not_begun_when_its_worker_was_killed_is_put_back(redis, queue_server):
    settings = load(redis_url=queue_server, reconcile_minutes=0)
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    job = queue.enqueue("backend.ingest.ingest_event", {})
    redis.lmove(queue.key, queue.intermediate_queue_key, "LEFT", "LEFT")  # what a worker does first
    janitor = Janitor(settings, ["ingest"])
    janitor.look_around()
    assert job.id not in queue.get_job_ids()
    redis.expire(f"dynamite:lost:ingest:{job.id}", 500)  # a while later
    janitor.look_around()
    assert queue.get_job_ids().count(job.id) == 1
    assert queue.intermediate_queue.get_job_ids() == []


def test_the_thread_lives_through_the_absence_of_the_server(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("backend.retraining.janitor.EVERY_SECONDS", 0.01)
    janitor = Janitor(load(redis_url=f"unix://{tmp_path}/nobody"), ["ingest"])
    janitor.start()
    deadline = time.monotonic() + 20
    while caplog.text.count("the queue server is away") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert caplog.text.count("the queue server is away") >= 2
    janitor.close()
