"""From a snapshot and what is served now to the weights that are judged beside it."""

import errno
import os
import re
from pathlib import Path

from dynamite.errors import DynamiteError
from training.retraining.blending import blend
from training.retraining.job_spec import Order
from training.retraining.launching import (
    Report,
    TrainingKilledError,
    gpu_count,
    process_count,
    train,
)
from training.retraining.recipe import recipe
from training.retraining.run_folder import AwayError

PASSING = re.compile(
    "|".join(
        re.escape(os.strerror(code))
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)
    )
)
"""What a full disk or a share that goes away is called; somebody will see to it."""


def train_candidate(order: Order, start: Path, report: Report | None = None) -> Path:
    """Train from the weights ``start`` as the order says, and blend; the file in the run's folder.

    Raises:
        AwayError: the disk is full or the share is away; the next attempt goes on from the last
            checkpoint.
        DynamiteError: the snapshot or the weights cannot be used, or the training failed.
    """
    try:
        config = recipe(order, start, process_count(gpu_count(), order.hosts))
        trained = train(config, order.run, order.hosts, report)
        return blend(start, trained, order.run / "blended.safetensors")
    except TrainingKilledError:
        raise
    except (DynamiteError, OSError) as error:
        for shared in (order.snapshot.parent, order.run.parent):
            if not shared.is_dir():
                raise AwayError(f"{shared} is not there: is it mounted? ({error})") from error
        if PASSING.search(str(error)):
            raise AwayError(f"{order.run}: {error}") from error
        raise
