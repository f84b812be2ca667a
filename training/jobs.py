"""The jobs of the queue ``train``, called by name, each in a process of its own."""

import logging
from typing import Any

from rq import get_current_job

from dynamite.errors import DynamiteError

log = logging.getLogger(__name__)


def retrain(values: dict[str, Any]) -> dict[str, Any]:
    """Train on a snapshot, judge, publish (``training.retraining.order.Order`` in JSON).

    What is wrong for good is not tried again; a job that was killed is, and goes on from its
    checkpoint.
    """
    from training.retraining.order import read_order  # noqa: PLC0415
    from training.retraining.work import retrain as work  # noqa: PLC0415

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
    except DynamiteError as error:
        log.error("training failed: %s", error)
        if job is not None:
            job.meta["error"] = str(error)
            job.retries_left = 0
            job.save()
        raise
    log.info("%s: %s", outcome["version"], outcome["verdict"])
    return outcome
