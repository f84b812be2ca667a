"""Trains the candidate: from a snapshot and start weights to the blended weights."""

import errno
import os
import re
from pathlib import Path

from dynamite.errors import DynamiteError
from training.retraining.blending import blend
from training.retraining.launching import (
    StepReport,
    TrainingKilledError,
    gpu_count,
    process_count,
    run_training,
)
from training.retraining.recipe import recipe
from training.retraining.request import RetrainingRequest
from training.retraining.waiting import AwayError

PASSING = re.compile(
    "|".join(
        re.escape(os.strerror(code))
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)
    )
)
"""Messages of a full disk or a share that is going away: faults that pass."""


def train_candidate(
    request: RetrainingRequest, start: Path, report: StepReport | None = None
) -> Path:
    """Train from the weights ``start`` and blend; return the file in the run's folder.

    Raises:
        AwayError: the disk is full or the share is away. The next attempt continues from the last
            checkpoint.
        DynamiteError: the snapshot or the weights cannot be used, or the training failed.
    """
    try:
        hosts = request.options.train_hosts
        config = recipe(request, start, process_count(gpu_count(), hosts))
        trained = run_training(config, request.run, hosts, report)
        return blend(start, trained, request.run / "blended.safetensors")
    except TrainingKilledError:
        raise
    except (DynamiteError, OSError) as error:
        for shared in (request.snapshot.parent, request.run.parent):
            if not shared.is_dir():
                raise AwayError(f"{shared} is not there: is it mounted? ({error})") from error
        if PASSING.search(str(error)):
            raise AwayError(f"{request.run}: {error}") from error
        raise
