"""Trainings asked for, of data that nobody looks at."""

import os
from pathlib import Path

import pytest
from rq.job import JobStatus

from backend.jobs.job_queue import find_job
from backend.retraining.enqueueing import enqueue_training
from backend.retraining.training_queue import train_queue
from training.retraining.request import RetrainingRequest


def request(digest, change=0, images=None, line="shared"):
    return RetrainingRequest(
        line=line,
        reason="test",
        digest=digest,
        change=change,
        snapshot=Path("/s"),
        images=images or {"corrected": 30, "holdout": 8},
        models=Path("/m"),
        run=Path("/r"),
    )


@pytest.fixture
def ask(redis):
    def enqueue(digest, change=0, images=None, *, line="shared", force=False):
        return enqueue_training(redis, request(digest, change, images, line), 3600, force=force)

    return enqueue


def end(redis, digest, how=JobStatus.FINISHED):
    """A training ends; its worker is killed before it lets the next one follow."""
    job = find_job(redis, f"train-shared-{digest}")
    train_queue(redis).remove(job)
    job.set_status(how)


def environment_of_worker(queue_server, folder, training):
    """The environment of a worker whose trainings do nothing but ``training``, with ``values``."""
    path = folder / "stand_in"
    path.mkdir()
    code = f"import time, training.jobs\ntraining.jobs.retrain = lambda values: {training}\n"
    (path / "sitecustomize.py").write_text(code)
    paths = [str(path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"REDIS_URL": queue_server, "PYTHONPATH": os.pathsep.join(paths)}
