"""The jobs of the queue ``train``, called by name, each in a process of its own."""

import logging
import os
from typing import Any

from rq import get_current_job
from rq.timeouts import JobTimeoutException

from dynamite.errors import DynamiteError

log = logging.getLogger(__name__)

NICE = 10
"""Niceness of a training without a GPU, added to that of its worker."""


def retrain(values: dict[str, Any]) -> dict[str, Any]:
    """Train on a snapshot, judge and publish, as a ``RetrainingRequest`` in JSON says.

    A job that was killed is tried again and continues from its checkpoint. One that failed, or took
    longer than it may, is not.
    """
    yield_cores()
    from training.retraining import retrain as retraining  # noqa: PLC0415
    from training.retraining.launching import TrainingKilledError  # noqa: PLC0415
    from training.retraining.request import read_request  # noqa: PLC0415

    job = get_current_job()

    def report(phase: str, done: int, total: int, left: float | None) -> None:
        if job is None:
            return
        eta = None if left is None else round(left)
        job.meta["progress"] = {"phase": phase, "done": done, "total": total, "seconds_left": eta}
        job.save_meta()  # type: ignore[no-untyped-call]

    attempt = f"{job.id}, by {job.worker_name}" if job else "by hand"
    try:
        outcome = retraining.retrain(read_request(values), attempt, report)
    except (DynamiteError, JobTimeoutException) as error:
        log.error("training failed: %s", error)
        again = isinstance(error, TrainingKilledError) and job is not None and job.retries_left
        if job is not None and not again:
            job.meta["error"] = str(error)
            job.retries_left = 0
            job.save()
        raise
    log.info("%s: %s", outcome["version"], outcome["verdict"])
    return outcome


def yield_cores() -> None:
    """Leave half of the cores, and precedence, to clicks unless the job has a GPU of its own."""
    if os.environ.get("CUDA_VISIBLE_DEVICES"):
        return
    os.nice(NICE)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // 2)))
