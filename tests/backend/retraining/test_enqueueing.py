"""Trainings of one line take turns; those of two lines do not wait for each other."""

import json
import multiprocessing
import subprocess
import sys

import pytest
from redis import Redis
from rq.job import JobStatus

import backend.retraining.enqueueing as enqueueing
from backend.jobs.job_queue import find_job
from backend.retraining.cancelling import CancelError, cancel_training
from backend.retraining.enqueueing import enqueue_all_waiting, enqueue_training, enqueue_waiting
from backend.retraining.status import all_trainings, describe, last_training
from backend.retraining.training_queue import (
    active_job,
    is_training,
    last_job,
    last_job_key,
    train_queue,
    waiting_job,
    wanted_key,
)
from tests.backend.retraining import asking
from tests.backend.retraining.asking import end, environment_of_worker, request
from training.retraining.request import RetrainingRequest

ask = asking.ask


def status(redis, digest):
    return find_job(redis, f"train-shared-{digest}").get_status()


def in_order(redis):
    """The ids of the trainings that are enqueued, one after another has ended."""
    found = []
    while (job := active_job(redis, "shared")) is not None:
        found.append(job.id[-1])
        end(redis, job.id[-1])
        enqueue_all_waiting(redis)
    return "".join(found)


def test_one_asked_for_while_another_runs_waits_for_its_end(redis, ask):
    assert "train-shared-a is queued: test" in ask("a")
    assert "train-shared-b waits for train-shared-a to end: test" in ask("b")
    assert train_queue(redis).job_ids == ["train-shared-a"]
    enqueue_waiting(redis, "shared")
    assert train_queue(redis).job_ids == ["train-shared-a"]
    end(redis, "a")
    enqueue_waiting(redis, "shared")
    enqueue_waiting(redis, "shared")
    assert train_queue(redis).job_ids == ["train-shared-b"]
    assert last_job(redis, "shared").id == "train-shared-b"
    assert waiting_job(redis, "shared") is None


def test_a_line_does_not_wait_for_another(redis, ask):
    ask("a")
    ask("a", line="cells")
    assert train_queue(redis).job_ids == ["train-shared-a", "train-cells-a"]


@pytest.mark.parametrize("how", [JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED])
def test_the_next_one_follows_however_the_first_has_ended(redis, ask, how):
    ask("a")
    ask("b")
    end(redis, "a", how)
    enqueue_all_waiting(redis)
    assert train_queue(redis).job_ids == ["train-shared-b"]


def test_the_next_one_follows_one_that_was_deleted(redis, ask):
    ask("a")
    ask("b")
    find_job(redis, "train-shared-a").delete()
    enqueue_all_waiting(redis)
    assert train_queue(redis).job_ids == ["train-shared-b"]


def test_one_that_is_tried_again_keeps_the_next_waiting(redis, ask):
    """Its process was killed: it is in the queue once more."""
    ask("a")
    ask("b")
    job = find_job(redis, "train-shared-a")
    with redis.pipeline() as pipeline:
        train_queue(redis).remove(job)
        job.retry(train_queue(redis), pipeline)
        pipeline.execute()
    enqueue_all_waiting(redis)
    assert train_queue(redis).job_ids == ["train-shared-a"]


def test_of_several_that_wait_the_newest_is_trained(redis, ask):
    for change, digest in enumerate("abcd"):
        ask(digest, change)
    assert waiting_job(redis, "shared").id == "train-shared-d"
    assert [find_job(redis, f"train-shared-{digest}") for digest in "bc"] == [None, None]
    assert in_order(redis) == "ad"


@pytest.mark.parametrize("way", ["waiting", "running"])
def test_older_data_do_not_take_the_place_of_newer_ones(redis, ask, way):
    """Their snapshot took longer to write, say."""
    if way == "waiting":
        ask("a", 1)
    ask("c", 3)
    assert ask("b", 2) == "train-shared-c, on newer annotations, is on its way already"
    assert in_order(redis) == ("ac" if way == "waiting" else "c")


def test_data_that_are_again_what_is_being_trained_on_need_no_other_training(redis, ask):
    ask("a", 1)
    ask("b", 2)
    assert ask("a", 3) == "train-shared-a is queued already"
    assert in_order(redis) == "a"
    ask("c", 4)
    ask("d", 6)
    ask("c", 5)  # asked for late: the newer data still wait
    assert in_order(redis) == "cd"


def test_the_same_data_asked_for_twice_are_one_training(redis, ask):
    ask("a")
    assert ask("a") == "train-shared-a is queued already"
    find_job(redis, "train-shared-a").set_status(JobStatus.STARTED)
    assert ask("a", force=True) == "train-shared-a is started already"
    ask("b")
    assert ask("b") == "train-shared-b is waiting already"
    assert in_order(redis) == "ab"
    assert ask("a") == "train-shared-a is done already: no annotation has changed since"
    assert not is_training(redis, "shared")


def test_a_training_that_failed_can_be_asked_for_again_behind_another(redis, ask):
    ask("a")
    end(redis, "a", JobStatus.FAILED)
    ask("b")
    assert "waits for train-shared-b" in ask("a")
    assert in_order(redis) == "ba"


def test_one_asked_for_before_the_waiting_one_got_its_turn_takes_its_place(redis, ask):
    ask("a")
    ask("b", 1)
    end(redis, "a")
    assert "train-shared-c is queued" in ask("c", 2)
    enqueue_all_waiting(redis)
    assert in_order(redis) == "c"


def test_the_same_data_asked_for_again_by_force_are_another_job(redis, ask):
    jobs = []
    for _ in range(2):
        ask("a", force=True)
        job = find_job(redis, "train-shared-a")
        jobs.append(job.args[0]["job"])
        end(redis, "a")
    assert all(jobs) and jobs[0] != jobs[1]


def test_asking_says_at_once_that_nothing_can_come_of_it(ask):
    assert "held out" not in ask("a")
    assert "only 2 images are held out, 8 are needed" in ask("b", 0, {"corrected": 9, "holdout": 2})


def ask_from_a_process(url, digest, change, barrier):
    with Redis.from_url(url) as redis:
        barrier.wait()
        enqueue_training(redis, request(digest, change), 3600)


def test_of_two_asked_for_at_once_from_two_processes_one_waits(redis, queue_server):
    context = multiprocessing.get_context("spawn")
    digests = "abcd"
    barrier = context.Barrier(len(digests))
    processes = [
        context.Process(target=ask_from_a_process, args=(queue_server, digest, 0, barrier))
        for digest in digests
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert train_queue(redis).count == 1
    first, second = active_job(redis, "shared"), waiting_job(redis, "shared")
    assert first is not None and second is not None and first != second
    assert {first.id, second.id} <= {f"train-shared-{digest}" for digest in digests}


def meanwhile(monkeypatch, happen):
    """Let something happen when a transaction is prepared but not carried out yet."""
    start = enqueueing._start

    def interrupted(*arguments):
        monkeypatch.setattr(enqueueing, "_start", start)
        start(*arguments)
        happen()

    monkeypatch.setattr(enqueueing, "_start", interrupted)


def test_of_two_asked_for_at_the_same_moment_the_later_waits(redis, ask, monkeypatch):
    meanwhile(monkeypatch, lambda: ask("b", 1))
    ask("a", 2)
    assert train_queue(redis).job_ids == ["train-shared-b"]
    assert waiting_job(redis, "shared").id == "train-shared-a"


def test_one_that_two_workers_let_follow_at_the_same_moment_is_queued_once(redis, ask, monkeypatch):
    ask("a")
    ask("b")
    end(redis, "a")
    meanwhile(monkeypatch, lambda: enqueue_waiting(redis, "shared"))
    enqueue_waiting(redis, "shared")
    assert train_queue(redis).job_ids == ["train-shared-b"]


def test_one_that_ends_while_the_next_is_asked_for_is_not_waited_for(redis, ask, monkeypatch):
    ask("a")
    new_job = enqueueing._new_job

    def ends(*arguments):  # all is prepared but not carried out
        monkeypatch.setattr(enqueueing, "_new_job", new_job)
        end(redis, "a")
        return new_job(*arguments)

    monkeypatch.setattr(enqueueing, "_new_job", ends)
    ask("b")
    assert status(redis, "b") == JobStatus.QUEUED
    assert train_queue(redis).job_ids == ["train-shared-b"]


def test_a_training_is_queued_and_known_as_the_last_at_once_or_not_at_all(redis, ask, monkeypatch):
    def killed():
        raise StopIteration

    meanwhile(monkeypatch, killed)
    with pytest.raises(StopIteration):
        ask("a")
    assert find_job(redis, "train-shared-a") is None
    assert train_queue(redis).job_ids == []
    assert redis.get(last_job_key("shared")) is None


def test_one_that_waits_is_told_of_as_such(redis, ask):
    ask("a")
    ask("b")
    states = {state.job: (state.status, state.words) for state in all_trainings(redis)}
    assert states == {
        "train-shared-a": ("queued", ""),
        "train-shared-b": ("waiting", "until the training before it has ended"),
    }
    assert last_training(redis, "shared").job == "train-shared-a"
    assert is_training(redis, "shared")
    end(redis, "a")
    assert is_training(redis, "shared")  # its snapshot must not be removed


def test_one_that_a_worker_has_taken_and_not_started_is_told_of(redis, ask):
    ask("a")
    redis.lpop(train_queue(redis).key)
    assert [state.status for state in all_trainings(redis)] == ["queued"]


def test_one_that_waits_can_be_cancelled_and_the_next_follows_one_that_was(redis, ask):
    ask("a")
    ask("b")
    assert cancel_training(redis, "train-shared-b") == "train-shared-b is cancelled"
    assert cancel_training(redis, "train-shared-b") == "train-shared-b is cancelled already"
    assert redis.get(wanted_key("shared")) is None
    ask("c")
    assert cancel_training(redis, "train-shared-a") == "train-shared-a is cancelled"
    assert train_queue(redis).job_ids == ["train-shared-c"]
    assert "is queued" not in ask("b")
    assert in_order(redis) == "cb"


def test_one_whose_turn_comes_while_it_is_cancelled_says_so(redis, ask, monkeypatch):
    ask("a")
    ask("b")
    end(redis, "a")
    watch = enqueueing._watch

    def follows(*arguments):
        monkeypatch.setattr(enqueueing, "_watch", watch)
        watch(*arguments)
        enqueue_waiting(redis, "shared")

    monkeypatch.setattr(enqueueing, "_watch", follows)
    with pytest.raises(CancelError, match="just being queued: try again"):
        cancel_training(redis, "train-shared-b")
    assert status(redis, "b") == JobStatus.QUEUED


@pytest.mark.slow
def test_a_worker_that_ends_with_the_queue_does_the_waiting_one_as_well(
    redis, ask, queue_server, tmp_path
):
    ask("a")
    ask("b")
    command = [sys.executable, "-m", "backend.cli", "worker", "--queues", "train", "--burst"]
    environment = environment_of_worker(queue_server, tmp_path, "None")
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=120)
    assert [status(redis, digest) for digest in "ab"] == [JobStatus.FINISHED, JobStatus.FINISHED]


def test_one_that_another_takes_the_place_of_while_it_is_cancelled_or_listed_does_no_harm(
    redis, ask, monkeypatch
):
    ask("a")
    ask("b", 1)
    job = find_job(redis, "train-shared-b")
    watch = enqueueing._watch

    def replaced(*arguments):
        monkeypatch.setattr(enqueueing, "_watch", watch)
        watch(*arguments)
        monkeypatch.setattr(enqueueing, "waiting_job", lambda *_: job)  # as it was just before
        job.delete()
        redis.delete(wanted_key("shared"))

    monkeypatch.setattr(enqueueing, "_watch", replaced)
    with pytest.raises(CancelError, match="try again"):
        cancel_training(redis, "train-shared-b")
    assert describe(job).status == "waiting"


def test_what_goes_through_the_queue_is_json(redis, ask):
    ask("a")
    (values,) = find_job(redis, "train-shared-a").args
    assert json.loads(json.dumps(values)) == values
    read = RetrainingRequest.model_validate(values)
    assert read == request("a").model_copy(update={"job": values["job"]})
