"""Jobs of killed workers, put back."""

import time

import pytest
from rq import Queue, Retry
from rq.executions import Execution
from rq.job import JobStatus
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from backend.jobs import rq_repair
from backend.jobs.job_queue import RETRIES, find_job
from backend.jobs.rq_repair import repair

pytestmark = pytest.mark.security

MARK = "dynamite:lost:ingest:a"


@pytest.fixture
def queue(redis):
    found = Queue("ingest", connection=redis, serializer=JSONSerializer)
    found.enqueue("time.sleep", 0, job_id="a", retry=Retry(max=RETRIES))
    return found


def take(queue):
    """What a worker of one queue does first."""
    queue.connection.lmove(queue.key, queue.intermediate_queue_key, "LEFT", "LEFT")


def start(queue, job, seconds):
    """What it does then: the job is started, and counts as abandoned after so many seconds."""
    redis = queue.connection
    with redis.pipeline() as pipeline:
        execution = Execution.create(job, ttl=60, pipeline=pipeline)
        pipeline.execute()
    key = queue.started_job_registry.key
    redis.zadd(key, {execution.composite_key: time.time() + seconds})
    redis.lrem(queue.intermediate_queue_key, 1, job.id)
    job.set_status(JobStatus.STARTED)


def later(queue):
    """Half a minute passes."""
    queue.connection.expire(MARK, 500)


def test_a_job_taken_but_not_begun_when_its_worker_was_killed_is_put_back(queue):
    take(queue)
    repair(queue)
    assert queue.job_ids == []
    later(queue)
    for _ in range(2):
        repair(queue)
        assert queue.job_ids == ["a"]
        assert queue.intermediate_queue.get_job_ids() == []


def test_a_job_just_taken_for_a_new_attempt_is_not_lost(queue):
    take(queue)
    repair(queue)
    job = queue.fetch_job("a")
    queue.connection.lrem(queue.intermediate_queue.key, 1, job.id)  # begun, killed, queued again
    queue.enqueue_job(job)
    later(queue)
    take(queue)
    repair(queue)
    assert queue.job_ids == []
    later(queue)
    repair(queue)
    assert queue.job_ids == ["a"]


def test_a_job_begun_at_the_moment_it_is_found_lost_is_not_doubled(queue, monkeypatch):
    take(queue)
    repair(queue)
    later(queue)
    put = Queue.enqueue_job

    def begun(self, job, **more):
        queue.connection.lrem(queue.intermediate_queue.key, 1, job.id)
        return put(self, job, **more)

    monkeypatch.setattr(Queue, "enqueue_job", begun)
    repair(queue)
    assert queue.job_ids == []


def test_a_job_started_just_before_it_is_put_back_is_not_doubled(queue, monkeypatch):
    take(queue)
    is_lost = rq_repair._is_lost

    def started(queue, job):
        start(queue, job, seconds=60)
        return is_lost(queue, job)

    repair(queue)
    later(queue)
    monkeypatch.setattr(rq_repair, "_is_lost", started)
    repair(queue)
    assert queue.job_ids == []


def test_a_known_job_that_waited_for_long_and_was_just_taken_is_not_lost(queue):
    repair(queue, ["a"])
    later(queue)
    take(queue)
    repair(queue, ["a"])
    assert queue.job_ids == []


def test_a_job_that_is_in_the_queue_again_is_not_put_there_twice(queue):
    """Its process was killed before it was begun: rq tries it again, and leaves the old entry."""
    queue.connection.rpush(queue.intermediate_queue_key, "a")
    repair(queue)
    later(queue)
    repair(queue)
    assert queue.job_ids == ["a"]


def test_what_is_left_of_a_job_that_has_ended_is_removed(queue):
    take(queue)
    queue.fetch_job("a").set_status(JobStatus.FINISHED)
    repair(queue)
    assert queue.intermediate_queue.get_job_ids() == []
    assert queue.job_ids == []


def test_a_job_whose_worker_fell_silent_is_tried_again(queue):
    take(queue)
    job = queue.fetch_job("a")
    start(queue, job, seconds=-10)
    repair(queue)
    assert queue.job_ids == ["a"]
    assert find_job(queue.connection, "a").retries_left == RETRIES - 1


def test_a_known_job_that_is_in_no_list_is_put_back(queue):
    queue.connection.lpop(queue.key)
    repair(queue)
    later(queue)
    repair(queue)
    assert queue.job_ids == []  # of no other it is known that it is missing
    repair(queue, ["a"])
    later(queue)
    repair(queue, ["a"])
    assert queue.job_ids == ["a"]


def test_two_that_repair_at_the_same_moment_do_not_double_a_job(queue, monkeypatch):
    cleaned = []

    class Registry(StartedJobRegistry):
        def cleanup(self, *arguments):
            cleaned.append(self.name)
            repair(queue)  # another one, at this moment

    monkeypatch.setattr(rq_repair, "StartedJobRegistry", Registry)
    repair(queue)
    repair(queue)
    assert cleaned == ["ingest", "ingest"]


def test_a_lock_that_rqs_own_maintenance_left_behind_does_not_last(queue, redis):
    queue.acquire_maintenance_lock()
    assert redis.ttl(queue.registry_cleaning_key) > 800
    repair(queue)
    assert redis.ttl(queue.registry_cleaning_key) <= rq_repair.LOCK_SECONDS


def test_a_lock_that_another_has_taken_meanwhile_is_left_to_it(queue, redis, monkeypatch):
    lock = queue.registry_cleaning_key
    monkeypatch.setattr(rq_repair, "requeue_lost", lambda *_: redis.set(lock, "of another", ex=10))
    repair(queue)
    assert redis.get(lock) == b"of another"
