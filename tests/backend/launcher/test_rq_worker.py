"""Real workers on a real queue server: what a sleep of the machine and forged jobs do to them."""

import os
import signal
import subprocess
import sys
import time

import pytest
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import RETRIES
from backend.label_studio.ingest.jobs import EVENT_JOB
from backend.launcher.rq_worker import JOB, LOG_LEVEL, QUEUE_URL
from backend.retraining.enqueueing import TRAIN_JOB

MALFORMED = {"body": None}
"""An event that is refused, by a job that therefore succeeds at once."""


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


@pytest.fixture
def start(queue_server, tmp_path, redis):
    """Starts `dynamite worker`; returns the process and the key under which it is registered."""
    started = []

    def start(queues):
        own = {"REDIS_URL": queue_server, "DYNAMITE_STATE_DIR": str(tmp_path / "state")}
        command = [sys.executable, "-m", "backend.cli", "worker", "--quiet", "--queues", queues]
        process = subprocess.Popen(command, env=os.environ | own, cwd=tmp_path)
        started.append(process)
        (key,) = until(lambda: redis.smembers("rq:workers"))
        until(lambda: redis.hget(key, "state") == b"idle")
        return process, key

    def stop():
        for process in started:
            process.kill()
            process.wait()

    start.stop = stop
    yield start
    stop()


def enqueue(redis, queue, name, *arguments):
    found = Queue(queue, connection=redis, serializer=JSONSerializer)
    return found.enqueue(name, *arguments, retry=Retry(max=RETRIES))


def ended(job):
    return until(lambda: (state := job.get_status()) in ("finished", "failed") and state)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_worker_that_the_queue_has_forgotten_still_does_jobs(start, redis, stopped):
    """After 85 s without a sign of life rq forgets a worker: a closed lid, a VM at rest."""
    process, key = start("ingest")
    if stopped:
        process.send_signal(signal.SIGSTOP)
    redis.delete(key)
    job = enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    process.send_signal(signal.SIGCONT)
    assert ended(job) == "finished"
    job.refresh()
    assert job.retries_left == RETRIES
    until(lambda: redis.hget(key, "birth"))
    assert int(redis.hget(key, "pid")) == process.pid
    assert redis.ttl(key) > 0


def test_so_does_a_training_worker(start, redis):
    _, key = start("train")
    redis.delete(key)
    job = enqueue(redis, "train", TRAIN_JOB, {})
    assert ended(job) == "failed"
    assert "Field required" in Job.fetch(job.id, redis, JSONSerializer).meta["error"]


def test_a_job_whose_execution_has_expired_goes_back_into_the_queue(queue_server, redis, tmp_path):
    """The machine slept after the worker had taken it, and before its process began."""
    job = enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    redis.lmove("rq:queue:ingest", "rq:queue:ingest:intermediate", "LEFT", "LEFT")
    redis.zadd("rq:wip:ingest", {f"{job.id}:execution": time.time() - 100})
    values = ("a worker", str(os.getpid()), job.id, "execution", "ingest")
    environment = dict(zip(JOB, values, strict=True)) | {QUEUE_URL: queue_server, LOG_LEVEL: "info"}
    command = [sys.executable, "-P", "-m", "backend.launcher.job_process"]
    subprocess.run(command, env=os.environ | environment, cwd=tmp_path, check=True)
    assert Queue("ingest", connection=redis, serializer=JSONSerializer).job_ids == [job.id]
    assert redis.lrange("rq:queue:ingest:intermediate", 0, -1) == []
    job.refresh()
    assert (job.get_status(), job.retries_left) == ("queued", RETRIES)


def test_the_page_and_a_metric_say_that_no_worker_lives(start, redis, backend):
    def seen():
        lines = backend.client.get("/metrics").text.splitlines()
        (value,) = (line for line in lines if line.startswith('dynamite_workers{queue="ingest"}'))
        return float(value.split()[-1]), "No worker takes the jobs of ingest" in page()

    def page():
        return backend.client.get("/").text

    _, key = start("ingest")
    assert seen() == (1, False)
    start.stop()
    redis.delete(key)
    enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    assert seen() == (0, True)
