"""Real workers on a real queue server: what a sleep of the machine and forged jobs do to them."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute, now

from backend.collectors import periodic_jobs
from backend.jobs.job_queue import RETRIES
from backend.jobs.rq_repair import repair
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.launcher.allowed_jobs import ALLOWED, AllowedJob
from backend.launcher.rq_worker import JOB, LOGGING, QUEUE_URL, Worker
from backend.launcher.worker import allowed_queue
from backend.retraining.enqueueing import TRAIN_JOB
from backend.retraining.jobs import PERIODIC
from backend.retraining.verdicts import verdicts
from backend.settings import load

pytestmark = pytest.mark.security

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


def test_a_worker_counts_a_training_that_fails_once(start, redis):
    queue = Queue("train", connection=redis, serializer=JSONSerializer)
    job = queue.enqueue(TRAIN_JOB, {}, retry=Retry(max=RETRIES), meta={"line": "lite"})
    start("train")
    assert ended(job) == "failed"
    until(lambda: verdicts(redis, "lite")["failed"])
    assert sum(verdicts(redis, "lite").values()) == 1


def test_a_job_whose_execution_has_expired_goes_back_into_the_queue(queue_server, redis, tmp_path):
    """The machine slept after the worker had taken it, and before its process began."""
    job = enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    redis.lmove("rq:queue:ingest", "rq:queue:ingest:intermediate", "LEFT", "LEFT")
    redis.zadd("rq:wip:ingest", {f"{job.id}:execution": time.time() - 100})
    values = ("a worker", str(os.getpid()), job.id, "execution", "ingest")
    logging = json.dumps({"level": "info"})
    environment = dict(zip(JOB, values, strict=True)) | {QUEUE_URL: queue_server, LOGGING: logging}
    command = [sys.executable, "-P", "-m", "backend.launcher.job_process"]
    subprocess.run(command, env=os.environ | environment, cwd=tmp_path, check=True)
    assert Queue("ingest", connection=redis, serializer=JSONSerializer).job_ids == [job.id]
    assert redis.lrange("rq:queue:ingest:intermediate", 0, -1) == []
    job.refresh()
    assert (job.get_status(), job.retries_left) == ("queued", RETRIES)


def test_the_first_round_after_a_sleep_takes_no_job_from_another_worker(redis):
    """The other one has slept as well, and has not said yet that its job goes on."""
    worker = Worker([allowed_queue("train", redis)], connection=redis, serializer=JSONSerializer)
    job = enqueue(redis, "train", TRAIN_JOB, {})
    redis.lpop("rq:queue:train")
    job.set_status("started")
    redis.zadd("rq:wip:train", {f"{job.id}:execution": time.time() - 20})
    worker.last_cleaned_at = now() - timedelta(hours=1)
    worker.run_maintenance_tasks()
    assert job.get_status() == "started"
    worker.run_maintenance_tasks()
    assert job.get_status() == "queued"  # it was killed


def test_only_the_main_thread_of_a_worker_takes_signals(start):
    """Else another one may take its alarm after a stop, and it is silent until its job ends."""
    process, _ = start("ingest")
    blocked = {}
    for folder in Path(f"/proc/{process.pid}/task").iterdir():
        fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        blocked[int(folder.name)] = bool(int(fields["SigBlk"], 16) >> (signal.SIGALRM - 1) & 1)
    assert not blocked.pop(process.pid)
    assert len(blocked) >= 2  # housekeeping and commands
    assert all(blocked.values())


def test_the_page_and_a_metric_say_that_no_worker_lives(start, redis, backend):
    def seen():
        lines = backend.client.get("/metrics").text.splitlines()
        (value,) = (line for line in lines if line.startswith('dynamite_workers{queue="ingest"}'))
        health = backend.client.get("/health").json["workers"]
        assert health["ingest"] == float(value.split()[-1])
        return health["ingest"], "No worker takes the jobs of ingest" in page()

    def page():
        return backend.client.get("/").text

    _, key = start("ingest")
    assert seen() == (1, False)
    start.stop()
    redis.delete(key)
    enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    assert seen() == (0, True)


def test_a_worker_calls_no_function_but_the_allowed_ones(start, redis, tmp_path):
    """Who can write to the queue server could otherwise run any program as the worker's user."""
    note = tmp_path / "note"
    start("ingest")
    forged = [
        enqueue(redis, "ingest", "subprocess.getoutput", f"touch {note}"),
        enqueue(redis, "ingest", "os.mkdir", str(note)),
        enqueue(redis, "ingest", f"{EVENT_JOB}.__class__", f"touch {note}"),
    ]
    for data in (b"no job", b'[["os.mkdir"], null, [], {}]'):
        forged.append(enqueue(redis, "ingest", EVENT_JOB, MALFORMED))
        redis.hset(forged[-1].key, "data", data)
    honest = enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    assert ended(honest) == "finished"
    assert [job.get_status() for job in forged] == ["failed"] * 5
    assert "subprocess.getoutput" in forged[0].latest_result().exc_string
    assert redis.lrange("rq:queue:ingest:intermediate", 0, -1) == []
    assert not note.exists()


@pytest.mark.parametrize("end", ["success", "failure"])
def test_a_worker_calls_no_callback(start, redis, tmp_path, monkeypatch, end):
    """A callback is another function that a job names; rq calls it with the job."""
    (tmp_path / "forged.py").write_text("def note(*_):\n    open('note', 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', tmp_path)}")
    job = enqueue(redis, "ingest", EVENT_JOB, *([MALFORMED] if end == "success" else []))
    names = {f"{which}_callback_name": "forged.note" for which in ("success", "failure", "stopped")}
    redis.hset(job.key, mapping=names)
    start("ingest")
    assert ended(job) == ("finished" if end == "success" else "failed")
    assert not (tmp_path / "note").exists()
    assert AllowedJob.fetch(job.id, redis, JSONSerializer).stopped_callback is None


def test_the_repair_of_a_queue_calls_no_callback(redis, caplog):
    """rq calls that of an abandoned job in the worker itself."""
    job = enqueue(redis, "ingest", EVENT_JOB, MALFORMED)
    redis.hset(job.key, mapping={"failure_callback_name": "no.such", "status": "started"})
    redis.zadd("rq:wip:ingest", {f"{job.id}:execution": time.time() - 100})
    repair(allowed_queue("ingest", redis))
    assert job.get_status() == "queued"
    assert "callback" not in caplog.text


def test_all_that_the_backend_enqueues_is_allowed():
    assert {import_attribute(name).__name__ for name in ALLOWED} == {
        *(
            "ingest_event",
            "reconcile",
            "request_training",
            "clean",
            "retrain",
            "remember",
            "describe",
        ),
        *("collect_event", "reconcile_cvat"),
    }
    both = load(cvat=True, cvat_url="http://cvat:8080", cvat_token="a-token")
    periodic = {job.name for job in [*PERIODIC, *periodic_jobs(both)]}
    assert periodic <= ALLOWED and len(periodic) == len(PERIODIC) + 2
