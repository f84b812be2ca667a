"""Loads the model of a serving process onto its device and tries it once."""

import threading
from pathlib import Path

import numpy as np

from backend.serving.device_thread import Job
from backend.serving.engine import Model
from backend.settings import Settings, variable
from dynamite.errors import DynamiteError, InvalidInputError

TRIAL_SIZE = (480, 640)


class DeviceError(DynamiteError):
    """The requested device does not exist or does not work."""


def load_model(settings: Settings, weights: Path | None = None) -> Model:
    """Load weights and segment a blank image, so that the first click is not slower.

    This happens in a thread of its own. A thread that has used torch keeps a pool of OpenMP
    threads, and these stop spinning when all pools together have more threads than there are cores:
    with a second pool next to the device thread's, a click of ``lite`` takes 1.5 times as long
    (measured).

    Args:
        settings: name the device, the preset and the checkpoint.
        weights: the file of a published version; None means the configured or shipped weights.

    Raises:
        CheckpointError: the weights are missing or do not fit.
        DeviceError: the device does not exist here, or the model does not run on it.
    """
    job = Job(lambda: _load(settings, weights))
    # A daemon, so that a process that is stopping does not wait for it.
    threading.Thread(target=job.run, name="loading", daemon=True).start()
    return job.future.result()


def _load(settings: Settings, weights: Path | None) -> Model:
    import torch  # noqa: PLC0415

    import dynamite  # noqa: PLC0415

    device = choose_device(settings.device, variable("device"))
    if settings.torch_threads:
        torch.set_num_threads(settings.torch_threads)
    if weights is None:
        network = dynamite.load(settings.preset, settings.checkpoint, device=device)
    else:
        network = dynamite.load_file(weights, device=device)
    predictor = dynamite.Predictor(network)
    blank = np.zeros((*TRIAL_SIZE, 3), np.uint8)
    try:
        features = predictor.encode(blank)
        trial = predictor.segment(features, dynamite.ClickSet([[dynamite.Click(9, 9)]]))
    except RuntimeError as error:
        raise DeviceError(f"the model does not run on {device}: {error}") from error
    if not np.isfinite(trial.scores).all():
        raise DeviceError(f"the model {network.version} returns scores that are not finite")
    return Model(predictor, network.version, device)


def choose_device(wanted: str, asked_by: str = "--device") -> str:
    """Return the torch device for a setting; "auto" prefers a GPU.

    Raises:
        DeviceError: there is no such device here; the message says to change ``asked_by``.
    """
    import torch  # noqa: PLC0415

    from dynamite.devices import usable_device  # noqa: PLC0415

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda" if count else "cpu"
    try:
        device = torch.device(wanted)
        if device.type != "cuda":  # CUDA must not be initialized before a fork
            usable_device(device)
    except (RuntimeError, InvalidInputError):
        raise DeviceError(
            f"{asked_by} is {wanted!r}, which cannot be used here: use auto, cpu, cuda or cuda:1"
        ) from None
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DeviceError(f"{asked_by} is {wanted!r}, but this machine has {count} usable GPUs")
    return wanted
