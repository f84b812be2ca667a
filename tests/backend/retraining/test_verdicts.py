"""How trainings end is counted once each, by line."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from rq.job import JobStatus

from backend.retraining.enqueueing import TRAIN_JOB
from backend.retraining.training_queue import train_queue
from backend.retraining.verdicts import VERDICTS, note_verdict, verdict_on, verdicts
from tests.backend.retraining.asking import environment_of_worker


def job(status, outcome=None):
    result = None if outcome is None else SimpleNamespace(return_value=outcome)
    return SimpleNamespace(get_status=lambda: status, latest_result=lambda: result)


@pytest.mark.parametrize(
    ("status", "outcome", "verdict"),
    [
        (
            JobStatus.FINISHED,
            {"published": True, "version": "lite-2"},
            "published",
        ),
        (JobStatus.FINISHED, {"published": False}, "rejected"),
        (JobStatus.FINISHED, {"published": "no"}, "rejected"),
        (JobStatus.FINISHED, None, "rejected"),
        (JobStatus.FAILED, None, "failed"),
        (JobStatus.STOPPED, None, "cancelled"),
        (JobStatus.QUEUED, None, None),
        (JobStatus.SCHEDULED, None, None),
    ],
)
def test_a_training_ends_in_one_of_four_ways_unless_it_is_tried_again(status, outcome, verdict):
    assert verdict_on(job(status, outcome)) == verdict
    assert verdict in {*VERDICTS, None}


def test_lines_are_counted_apart(redis):
    assert verdicts(redis, "a") == dict.fromkeys(VERDICTS, 0)
    for status in (JobStatus.FAILED, JobStatus.FAILED, JobStatus.QUEUED):
        note_verdict(redis, "a", job(status))
    note_verdict(redis, "b", job(JobStatus.STOPPED))
    assert verdicts(redis, "a") == dict.fromkeys(VERDICTS, 0) | {"failed": 2}
    assert verdicts(redis, "b") == dict.fromkeys(VERDICTS, 0) | {"cancelled": 1}


def test_a_real_worker_counts_how_its_trainings_end(redis, queue_server, tmp_path):
    for values in ({"published": True}, {"published": False}, {"published": False}, {}):
        train_queue(redis).enqueue(TRAIN_JOB, values, meta={"line": "lite"})
    training = 'values if "published" in values else 1 / 0'
    command = [sys.executable, "-m", "backend.cli", "worker", "--burst", "--queues", "train"]
    environment = environment_of_worker(queue_server, tmp_path, training)
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    assert verdicts(redis, "lite") == {
        "published": 1,
        "rejected": 2,
        "failed": 1,
        "cancelled": 0,
    }
