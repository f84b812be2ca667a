import time

from rq import Queue
from rq.serializers import JSONSerializer

from backend.retraining.janitor import Janitor, due_jobs
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


def test_what_is_due_reaches_a_json_worker(redis, queue_server):
    settings = load(redis_url=queue_server)
    janitor = Janitor(settings, ["ingest"])
    janitor.look_around()
    jobs = Queue("ingest", connection=redis, serializer=JSONSerializer).jobs
    assert {job.func_name for job in jobs} == {"backend.ingest.reconcile", "backend.ingest.clean"}


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


def test_the_thread_lives_through_the_absence_of_the_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("backend.retraining.janitor.EVERY_SECONDS", 0.01)
    janitor = Janitor(load(redis_url=f"unix://{tmp_path}/nobody"), ["ingest"])
    janitor.start()
    time.sleep(0.2)
    assert janitor._thread.is_alive()
    janitor.close()
