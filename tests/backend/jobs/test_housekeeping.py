import time
from datetime import timedelta

from rq import Queue
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from backend.jobs.housekeeping import Janitor, enqueue_due
from backend.jobs.job_queue import requeue_failed
from backend.settings import load


def test_what_is_due_reaches_a_json_worker(redis, queue_server):
    settings = load(redis_url=queue_server)
    janitor = Janitor(settings, ["ingest"])
    janitor.look_around()
    jobs = Queue("ingest", connection=redis, serializer=JSONSerializer).jobs
    assert {job.func_name for job in jobs} == {
        "backend.label_studio.ingest.jobs.reconcile",
        "backend.label_studio.ingest.jobs.clean",
    }


def test_what_is_due_while_the_same_goes_on_waits_for_the_next_time(redis):
    """A long comparison would have others wait behind it, and events behind those."""
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    for _ in range(2):
        enqueue_due(redis, "backend.label_studio.ingest.jobs.reconcile", ())
    assert queue.job_ids == ["due-reconcile"]
    for line in ("a", "b"):
        enqueue_due(
            redis, "backend.label_studio.ingest.jobs.request_training", (line, "the schedule")
        )
    assert len(queue) == 3
    queue.fetch_job("due-reconcile").set_status(JobStatus.FINISHED)
    queue.remove("due-reconcile")
    enqueue_due(redis, "backend.label_studio.ingest.jobs.reconcile", ())
    assert "due-reconcile" in queue.job_ids


def test_what_is_due_is_asked_for_again_where_a_killed_worker_took_it_with_it(redis):
    enqueue_due(redis, "backend.label_studio.ingest.jobs.reconcile", ())
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    redis.lpop(queue.key)  # as a worker of two queues does
    enqueue_due(redis, "backend.label_studio.ingest.jobs.reconcile", ())
    assert queue.job_ids == []  # it may just be on its way
    job = queue.fetch_job("due-reconcile")
    job.enqueued_at -= timedelta(seconds=90)
    job.save()
    enqueue_due(redis, "backend.label_studio.ingest.jobs.reconcile", ())
    assert queue.job_ids == ["due-reconcile"]


def test_a_scheduled_request_for_a_training_that_failed_is_made_again(redis):
    """The worker was killed, say, or the snapshot met a full disk: the night would be lost."""
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    enqueue_due(redis, "backend.label_studio.ingest.jobs.request_training", ("a", "the schedule"))
    job = queue.jobs[0]
    assert job.retries_left
    queue.remove(job)
    queue.failed_job_registry.add(job)
    assert requeue_failed(redis) == 1
    assert queue.job_ids == [job.id]


def test_a_job_taken_but_not_begun_when_its_worker_was_killed_is_put_back(redis, queue_server):
    settings = load(redis_url=queue_server, reconcile_minutes=0)
    queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
    job = queue.enqueue("backend.label_studio.ingest.jobs.ingest_event", {})
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
    monkeypatch.setattr("backend.jobs.housekeeping.EVERY_SECONDS", 0.01)
    janitor = Janitor(load(redis_url=f"unix://{tmp_path}/nobody"), ["ingest"])
    janitor.start()
    deadline = time.monotonic() + 20
    while caplog.text.count("the queue server is away") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert caplog.text.count("the queue server is away") >= 2
    janitor.close()
