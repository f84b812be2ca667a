import threading
import time

from redis import Redis
from rq.job import JobStatus

from backend.jobs.housekeeping import Housekeeping
from backend.jobs.job_queue import find_job, ingest_queue, requeue_failed
from backend.jobs.schedule import put
from backend.launcher.worker import chores
from backend.retraining.jobs import REQUEST_JOB
from backend.retraining.training_queue import train_queue
from backend.settings import load
from tests.backend.retraining import asking
from tests.backend.retraining.asking import end

ask = asking.ask


def keep_house(redis, *queues, **settings):
    Housekeeping(chores(load(**settings), redis, queues)).run_once()


def test_what_is_due_reaches_a_json_worker(redis):
    keep_house(redis, "ingest")
    assert {job.func_name for job in ingest_queue(redis).jobs} == {
        "backend.label_studio.ingest.jobs.reconcile",
        "backend.retraining.jobs.clean",
    }


def test_a_training_due_by_the_schedule_is_asked_for(redis):
    settings = load(train_schedule="0 2 * * *")
    day = 20_000 * 24 * 3600
    for time_ in (day, day + 3 * 3600):
        Housekeeping(chores(settings, redis, ["ingest"], lambda now=time_: now)).run_once()
    job = find_job(redis, "due-request_training-shared")
    assert (job.func_name, tuple(job.args)) == (REQUEST_JOB, ("shared", "the schedule"))


def test_a_waiting_training_follows_though_the_worker_before_it_was_killed(redis, ask):
    """Any worker notices, also one that does not train."""
    ask("a")
    ask("b")
    end(redis, "a", JobStatus.FAILED)
    keep_house(redis, "ingest")
    assert train_queue(redis).job_ids == ["train-shared-b"]


def test_a_training_that_a_worker_of_two_queues_took_with_it_is_put_back(redis, ask):
    """rq takes a job of several queues out of its list at once."""
    ask("a")
    ask("b")
    queue = train_queue(redis)
    redis.lpop(queue.key)
    keep_house(redis, "ingest", "train")
    assert queue.job_ids == []
    for _ in range(2):
        redis.expire("dynamite:lost:train:train-shared-a", 500)  # a while later
        keep_house(redis, "ingest", "train")
        assert queue.job_ids == ["train-shared-a"]


def test_a_scheduled_request_for_a_training_that_failed_is_made_again(redis):
    """The worker was killed, say, or the snapshot met a full disk: the night would be lost."""
    queue = ingest_queue(redis)
    put(redis, REQUEST_JOB, ("a", "the schedule"))
    job = queue.jobs[0]
    assert job.retries_left
    queue.remove(job)
    queue.failed_job_registry.add(job)
    assert requeue_failed(redis, ["another.job"]) == 0
    assert requeue_failed(redis, [REQUEST_JOB]) == 1
    assert queue.job_ids == [job.id]


def test_a_chore_that_fails_does_not_stop_the_others(caplog):
    done = []

    def fail():
        raise ValueError("broken")

    Housekeeping([fail, lambda: done.append(1)]).run_once()
    assert done == [1]
    assert "a chore of the housekeeping failed" in caplog.text


def test_the_thread_lives_through_the_absence_of_the_server(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("backend.jobs.housekeeping.EVERY_SECONDS", 0.01)
    with Redis.from_url(f"unix://{tmp_path}/nobody") as redis:
        housekeeping = Housekeeping(chores(load(), redis, ["ingest"]))
        housekeeping.start()
        deadline = time.monotonic() + 20
        while caplog.text.count("the queue server is away") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        housekeeping.close()
    assert caplog.text.count("the queue server is away") >= 2


def test_a_job_that_goes_on_after_a_sleep_is_not_tried_again(monkeypatch):
    """To the first round after a sleep each running job looks abandoned."""
    monkeypatch.setattr("backend.jobs.housekeeping.EVERY_SECONDS", 0.01)
    times = iter([0.0, 10.0, 10.0, 100.0, 100.0, 110.0])
    rounds = []
    done = threading.Event()

    def clock():
        now = next(times, None)
        if now is None:
            done.set()
            return 110.0
        rounds.append(now)
        return now

    housekeeping = Housekeeping([lambda: rounds.append("chores")], clock)
    housekeeping.start()
    assert done.wait(10)
    housekeeping.close()
    assert rounds[:8] == [0.0, 10.0, "chores", 10.0, 100.0, 100.0, 110.0, "chores"]
