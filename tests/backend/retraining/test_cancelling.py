"""`dynamite jobs --cancel`, on the queue and on a worker at work."""

import subprocess
import sys
import time

import pytest
from rq.job import JobStatus

from backend.cli import main
from backend.jobs.job_queue import JobQueue, find_job
from backend.retraining.cancelling import CancelError, cancel_training
from backend.retraining.enqueueing import TRAIN_JOB
from backend.retraining.status import all_trainings
from backend.retraining.training_queue import train_queue
from tests.backend.retraining.asking import environment_of_worker


def test_one_that_waits_does_not_begin(redis):
    train_queue(redis).enqueue("time.sleep", 60, job_id="train-shared-a")
    assert cancel_training(redis, "train-shared-a") == "train-shared-a is cancelled"
    assert train_queue(redis).job_ids == []
    assert cancel_training(redis, "train-shared-a") == "train-shared-a is cancelled already"


@pytest.mark.parametrize(
    ("how", "state", "failed"),
    [(JobStatus.STOPPED, "cancelled", 0), (JobStatus.FAILED, "failed", 1)],
)
def test_one_that_was_stopped_has_not_failed(redis, queue_server, tmp_path, how, state, failed):
    queue = train_queue(redis)
    job = queue.enqueue("time.sleep", 60, job_id="train-shared-a")
    job.meta["progress"] = {"phase": "training", "done": 3, "total": 10, "seconds_left": 5}
    job.save_meta()
    queue.remove(job)
    job.set_status(how)
    queue.failed_job_registry.add(job)  # where rq keeps both
    (found,) = all_trainings(redis)
    assert found.status == state
    assert ("continues from its last checkpoint" in found.words) == (state == "cancelled")
    jobs = JobQueue(queue_server, tmp_path / "spool", "job")
    assert jobs.depths()["train"]["failed"] == failed
    jobs.close()


def test_an_unknown_one_is_named(redis, monkeypatch, queue_server, capsys):
    with pytest.raises(CancelError, match="no training 'train-x': `dynamite jobs` lists them"):
        cancel_training(redis, "train-x")
    monkeypatch.setenv("REDIS_URL", queue_server)
    with pytest.raises(SystemExit) as ended:
        main(["jobs", "--cancel", "train-x"])
    assert ended.value.code == 1
    assert "there is no training 'train-x'" in capsys.readouterr().err


@pytest.mark.slow
def test_one_at_work_is_ended_by_its_worker_which_goes_on(redis, queue_server, tmp_path):
    def status(name):
        return find_job(redis, name).get_status()

    def wait_for(name, wanted):
        end = time.monotonic() + 60
        while status(name) != wanted and time.monotonic() < end:
            time.sleep(0.1)
        assert status(name) == wanted

    queue = train_queue(redis)
    queue.enqueue(TRAIN_JOB, 600, job_id="train-shared-a")
    queue.enqueue(TRAIN_JOB, 0, job_id="train-shared-b")
    command = [sys.executable, "-m", "backend.cli", "worker", "--queues", "train"]
    environment = environment_of_worker(queue_server, tmp_path, "time.sleep(values)")
    worker = subprocess.Popen(command, env=environment, cwd=tmp_path)
    try:
        wait_for("train-shared-a", JobStatus.STARTED)
        assert "is told to stop" in cancel_training(redis, "train-shared-a")
        wait_for("train-shared-a", JobStatus.STOPPED)
        wait_for("train-shared-b", JobStatus.FINISHED)
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait(30)
