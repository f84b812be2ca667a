import threading
import time

import backend.retraining.requests as requests
import pytest
from backend.retraining.requests import TrainingRequest, enqueue_training
from rq.job import JobStatus

from backend.retraining.training_queue import find_job, jobs_ahead, last_job_key, train_queue
from backend.settings import load


@pytest.fixture
def ask(redis):
    def enqueue(digest, images=None, **more):
        images = images or {"corrected": 30, "holdout": 8}
        request = TrainingRequest("shared", "test", digest, "/s", images, "/m", "/r", load())
        return enqueue_training(redis, request, **more)

    return enqueue


def status(redis, digest):
    return find_job(redis, f"train-shared-{digest}").get_status()


def test_two_snapshots_asked_for_at_once_are_trained_one_after_the_other(redis, ask, monkeypatch):
    def slow(*arguments):
        found = jobs_ahead(*arguments)
        time.sleep(0.1)
        return found

    monkeypatch.setattr(requests, "jobs_ahead", slow)
    threads = [threading.Thread(target=ask, args=(digest,)) for digest in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status(redis, "a"), status(redis, "b")} == {JobStatus.QUEUED, JobStatus.DEFERRED}
    assert train_queue(redis).count == 1


def test_a_training_is_queued_and_known_as_the_last_at_once_or_not_at_all(redis, ask, monkeypatch):
    ask("a")
    monkeypatch.setattr(requests, "last_job_key", lambda _: next(iter(())))  # it is killed
    with pytest.raises(StopIteration):
        ask("b")
    assert find_job(redis, "train-shared-b") is None
    assert train_queue(redis).deferred_job_registry.get_job_ids() == []


def test_one_that_ends_while_the_next_is_asked_for_is_not_waited_for(redis, ask, monkeypatch):
    ask("a")

    def ends(line):  # all is prepared but not carried out
        find_job(redis, "train-shared-a").set_status(JobStatus.FINISHED)
        return last_job_key(line)

    monkeypatch.setattr(requests, "last_job_key", ends)
    ask("b")
    assert status(redis, "b") == JobStatus.QUEUED
    assert train_queue(redis).job_ids == ["train-shared-a", "train-shared-b"]


def test_asking_says_at_once_that_nothing_can_come_of_it(ask):
    assert "held out" not in ask("a")
    assert "only 2 images are held out, 8 are needed" in ask("b", {"corrected": 9, "holdout": 2})


def test_the_same_data_asked_for_again_by_force_are_another_job(redis, ask):
    jobs = []
    for _ in range(2):
        ask("a", force=True)
        job = find_job(redis, "train-shared-a")
        jobs.append(job.args[0]["job"])
        job.set_status(JobStatus.FINISHED)
    assert all(jobs) and jobs[0] != jobs[1]
