"""The model of a serving process: loaded, moved to its device, tried once."""

import threading
from pathlib import Path

import numpy as np

from backend.serving.device_thread import Job
from backend.serving.engine import Model
from backend.settings import Settings, variable
from dynamite.errors import DynamiteError, InvalidInputError

TRIAL_SIZE = (480, 640)


class DeviceError(DynamiteError):
    """The device asked for does not exist or does not work."""


def load_model(settings: Settings, weights: Path | None = None) -> Model:
    """Load weights and segment a blank image, so that the first click finds everything warm.

    ``weights`` are those of a published version; left out, the configured ones or those that ship.
    It happens in a thread that ends with it. A thread that has used torch keeps a pool of OpenMP
    threads, and where pools have more threads than there are cores none of them waits awake: with
    one pool beside the device thread's, a click of ``lite`` takes half as long again (measured).

    Raises:
        CheckpointError: the weights are missing or do not fit.
        DeviceError: the device does not exist here, or the model does not run on it.
    """
    job = Job(lambda: _load(settings, weights))
    # A daemon, so that a process told to stop does not wait for a load.
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
        answer = predictor.segment(features, dynamite.ClickSet([[dynamite.Click(9, 9)]]))
    except RuntimeError as error:
        raise DeviceError(f"the model does not run on {device}: {error}") from error
    if not np.isfinite(answer.scores).all():
        raise DeviceError(f"the model {network.version} answers with what is no number")
    return Model(predictor, network.version, device)


def choose_device(wanted: str, asked_by: str = "--device") -> str:
    """The torch device for a setting; "auto" is a GPU where there is one.

    Raises:
        DeviceError: there is no such device here; ``asked_by`` is what to change.
    """
    import torch  # noqa: PLC0415

    from dynamite.devices import usable_device  # noqa: PLC0415

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda" if count else "cpu"
    try:
        device = torch.device(wanted)
        if device.type != "cuda":  # which must not begin in the parent of processes that use it
            usable_device(device)
    except (RuntimeError, InvalidInputError):
        raise DeviceError(
            f"{asked_by} is {wanted!r}, which cannot be used here: say auto, cpu, cuda or cuda:1"
        ) from None
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DeviceError(f"{asked_by} is {wanted!r}, but this machine has {count} usable GPUs")
    return wanted
