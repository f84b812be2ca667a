from datetime import timedelta

import pytest
from backend.retraining.requests import TrainingRequest, enqueue_training
from rq import Queue
from rq.job import JobStatus
from rq.registry import StartedJobRegistry
from rq.utils import now

from backend.jobs import rq_repair
from backend.jobs.rq_repair import mend
from backend.retraining.training_queue import (
    find_job,
    free_waiting,
    is_training,
    last_job,
    train_queue,
)
from backend.settings import load


def ask(redis, *digests):
    for digest in digests:
        images = {"corrected": 1}
        enqueue_training(
            redis, TrainingRequest("shared", "test", digest, "/s", images, "/m", "/r", load())
        )


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_the_line_goes_on_when_the_training_ahead_is_cancelled_or_deleted(redis, end):
    ask(redis, "a", "b")
    getattr(find_job(redis, "train-shared-a"), end)()
    queue = train_queue(redis)
    assert queue.job_ids == []
    mend(queue)
    mend(queue)
    assert queue.job_ids == ["train-shared-b"]
    assert queue.deferred_job_registry.get_job_ids() == []
    ask(redis, "c")
    assert last_job(redis, "shared").dependency_ids == ["train-shared-b"]


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_one_that_is_asked_for_again_comes_after_those_that_waited_for_it(redis, end):
    ask(redis, "a", "b", "c")
    getattr(find_job(redis, "train-shared-a"), end)()
    ask(redis, "a")
    assert train_queue(redis).job_ids == ["train-shared-b"]
    assert find_job(redis, "train-shared-a").dependency_ids == ["train-shared-c"]
    assert find_job(redis, "train-shared-c").dependency_ids == ["train-shared-b"]


def test_one_that_is_freed_twice_at_the_same_moment_is_queued_once(redis, monkeypatch):
    ask(redis, "a", "b")
    find_job(redis, "train-shared-a").cancel()
    queue, put = train_queue(redis), Queue._enqueue_job

    def another_too(self, job, **more):
        monkeypatch.setattr(Queue, "_enqueue_job", put)
        free_waiting(train_queue(redis))
        return put(self, job, **more)

    monkeypatch.setattr(Queue, "_enqueue_job", another_too)
    mend(queue)
    assert queue.job_ids == ["train-shared-b"]


def test_those_that_wait_for_one_that_is_still_to_come_wait_on(redis):
    ask(redis, "a", "b")
    mend(train_queue(redis))
    assert train_queue(redis).job_ids == ["train-shared-a"]


def test_two_that_mend_at_the_same_moment_do_not_double_a_job(redis, monkeypatch):
    cleaned = []

    class Registry(StartedJobRegistry):
        def cleanup(self, *arguments):
            cleaned.append(self.name)
            mend(train_queue(redis))  # another one, at this moment

    monkeypatch.setattr(rq_repair, "StartedJobRegistry", Registry)
    mend(train_queue(redis))
    mend(train_queue(redis))
    assert cleaned == ["train", "train"]


def test_a_lock_that_rqs_own_maintenance_left_behind_does_not_last(redis):
    queue = train_queue(redis)
    queue.acquire_maintenance_lock()
    assert redis.ttl(queue.registry_cleaning_key) > 800
    mend(queue)
    assert redis.ttl(queue.registry_cleaning_key) <= rq_repair.LOCK_SECONDS


def test_a_lock_that_another_has_taken_meanwhile_is_left_to_it(redis, monkeypatch):
    queue = train_queue(redis)
    lock = queue.registry_cleaning_key
    monkeypatch.setattr(rq_repair, "requeue_lost", lambda _: redis.set(lock, "of another", ex=10))
    mend(queue)
    assert redis.get(lock) == b"of another"


def take(redis):
    """What a worker does first."""
    queue = train_queue(redis)
    redis.lmove(queue.key, queue.intermediate_queue_key, "LEFT", "LEFT")


def test_a_job_just_taken_for_a_new_attempt_is_not_lost(redis):
    ask(redis, "a")
    queue, job = train_queue(redis), find_job(redis, "train-shared-a")
    take(redis)
    mend(queue)
    redis.lrem(queue.intermediate_queue.key, 1, job.id)  # begun, killed, queued again
    queue.enqueue_job(job)
    redis.expire("dynamite:lost:train:train-shared-a", 500)  # a while later
    take(redis)
    mend(queue)
    assert queue.job_ids == []
    redis.expire("dynamite:lost:train:train-shared-a", 500)
    mend(queue)
    assert queue.job_ids == [job.id]


def test_a_job_begun_at_the_moment_it_is_found_lost_is_not_doubled(redis, monkeypatch):
    ask(redis, "a")
    queue = train_queue(redis)
    take(redis)
    mend(queue)
    redis.expire("dynamite:lost:train:train-shared-a", 500)
    put = type(queue)._enqueue_job

    def begun(self, job, **more):
        redis.lrem(queue.intermediate_queue.key, 1, job.id)
        return put(self, job, **more)

    monkeypatch.setattr(type(queue), "_enqueue_job", begun)
    mend(queue)
    assert queue.job_ids == []


def test_a_training_that_a_worker_of_two_queues_took_with_it_is_put_back(redis):
    """rq takes a job of several queues out of its list at once."""
    ask(redis, "a", "b")
    queue = train_queue(redis)
    redis.lpop(queue.key)
    mend(queue)
    assert queue.job_ids == []
    redis.expire("dynamite:vanished:train:train-shared-a", 500)
    mend(queue)
    assert queue.job_ids == ["train-shared-a"]
    redis.expire("dynamite:vanished:train:train-shared-a", 500)
    mend(queue)
    assert queue.job_ids == ["train-shared-a"]


def ended(redis, digest, seconds, status=JobStatus.FAILED):
    job = find_job(redis, f"train-shared-{digest}")
    train_queue(redis).remove(job)
    job.ended_at = now() - timedelta(seconds=seconds)
    job.save()
    job.set_status(status)


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.FINISHED])
def test_one_whose_turn_was_lost_with_the_worker_before_it_comes_all_the_same(redis, status):
    ask(redis, "a", "b")
    ended(redis, "a", 5, status)
    mend(train_queue(redis))  # rq itself may be about to
    assert train_queue(redis).job_ids == []
    ended(redis, "a", 90, status)
    mend(train_queue(redis))
    assert train_queue(redis).job_ids == ["train-shared-b"]


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_cancelling_one_that_waits_sets_none_going_beside_the_first(redis, end):
    ask(redis, "a", "b", "c")
    getattr(find_job(redis, "train-shared-b"), end)()
    ask(redis, "d")
    mend(train_queue(redis))
    assert train_queue(redis).job_ids == ["train-shared-a"]
    assert last_job(redis, "shared").dependency_ids == ["train-shared-c"]
    getattr(find_job(redis, "train-shared-d"), end)()
    assert is_training(redis, "shared")
    ask(redis, "e")
    assert last_job(redis, "shared").dependency_ids == ["train-shared-c"]
    ended(redis, "a", 90)
    mend(train_queue(redis))
    assert train_queue(redis).job_ids == ["train-shared-c"]
