"""The jobs of the queue ``train``, called by name, each in a process of its own."""

import logging
import os
from typing import Any

from rq import get_current_job
from rq.timeouts import JobTimeoutException

from dynamite.errors import DynamiteError

log = logging.getLogger(__name__)

NICE = 10


def retrain(values: dict[str, Any]) -> dict[str, Any]:
    """Train on a snapshot, judge, publish (``training.retraining.job_spec.Order`` in JSON).

    What is wrong for good is not tried again, nor what took longer than it may; a job that was
    killed is, and goes on from its checkpoint.
    """
    give_way()
    from training.retraining.job_spec import read_order  # noqa: PLC0415
    from training.retraining.launching import TrainingKilledError  # noqa: PLC0415
    from training.retraining.retrain import retrain as work  # noqa: PLC0415

    job = get_current_job()

    def tell(phase: str, done: int, total: int, left: float | None) -> None:
        if job is None:
            return
        eta = None if left is None else round(left)
        job.meta["progress"] = {"phase": phase, "done": done, "total": total, "seconds_left": eta}
        job.save_meta()  # type: ignore[no-untyped-call]

    attempt = f"{job.id}, by {job.worker_name}" if job else "by hand"
    try:
        outcome = work(read_order(values), attempt, tell)
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


def give_way() -> None:
    """Without a GPU of its own the job leaves half of the cores, and the first turn, to clicks."""
    if os.environ.get("CUDA_VISIBLE_DEVICES"):
        return
    os.nice(NICE)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // 2)))
