"""The id of a request goes along with what the request leaves to be done."""

import json
import threading
from contextvars import copy_context

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from backend import request_id
from backend.jobs.job_queue import JobQueue, ingest_queue
from backend.retraining.enqueueing import enqueue_training
from backend.retraining.training_queue import train_queue
from backend.serving.prewarm import Prewarmer
from tests.backend.retraining.asking import request

ID = "6a0e7a31-0c1b-4e6a-9b8c-7d6e5f4a3b2c"


@pytest.fixture
def asked():
    """Runs something as a part of the request with ``ID``."""

    def run(work):
        def inside():
            request_id.follow(ID)
            return work()

        return copy_context().run(inside)

    return run


def only_job(queue):
    (job_id,) = queue.job_ids
    return Job.fetch(job_id, queue.connection, JSONSerializer)


def test_an_event_takes_it_along(asked, redis, queue_server, tmp_path):
    queue = JobQueue(queue_server, tmp_path / "spool", "nothing", answer_seconds=5)
    assert asked(lambda: queue.put({"verified": True}))
    queue.close()
    job = only_job(ingest_queue(redis))
    assert job.meta["request_id"] == job.args[0]["request_id"] == ID


def test_so_does_one_that_waits_on_disk(asked, redis, queue_server, tmp_path):
    away = JobQueue(f"unix://{tmp_path}/nobody.sock", tmp_path / "spool", "nothing")
    assert not asked(lambda: away.put({"verified": True}))
    away.close()
    (path,) = (tmp_path / "spool").glob("*.json")
    assert json.loads(path.read_text())["request_id"] == ID
    back = JobQueue(queue_server, tmp_path / "spool", "nothing", answer_seconds=5)
    while back.on_disk:
        threading.Event().wait(0.05)
    back.close()
    assert only_job(ingest_queue(redis)).meta["request_id"] == ID


def test_a_training_that_a_request_starts_takes_it_along(asked, redis):
    asked(lambda: enqueue_training(redis, request("data"), 60))
    assert only_job(train_queue(redis)).meta["request_id"] == ID


def test_an_image_that_a_request_has_encoded_ahead_is_its_work(asked):
    seen = []
    prewarmer = Prewarmer(lambda address, task: seen.append(request_id.current()))
    asked(lambda: prewarmer.ask("/a.png", "1"))
    prewarmer.ask("/b.png", "1")
    prewarmer._pool.shutdown()
    assert sorted(seen) == ["", ID]
