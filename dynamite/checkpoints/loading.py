"""A preset's name and a checkpoint, or a file of ours alone, become a network ready to answer."""

from pathlib import Path
from typing import Any

import torch

from dynamite.checkpoints.checkpoint import Checkpoint, read, weights_version
from dynamite.checkpoints.conversion import fitting_weights
from dynamite.devices import usable_device
from dynamite.errors import CheckpointError, InvalidInputError
from dynamite.network.config import ModelConfig, preset
from dynamite.network.model import DynaMITE

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Checkpoints that ship with the package, one a preset."""

_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)

_SHAPING = ("mean", "std")
"""Fields of the config that change features, while the same weights fit."""


def load(
    name: str,
    checkpoint: Path | str | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    random_weights: bool = False,
    **overrides: Any,
) -> DynaMITE:
    """A network in evaluation mode.

    Args:
        name: a preset (``dynamite.network.config.PRESETS``).
        checkpoint: our safetensors or a published checkpoint; left out, the one that ships.
        device: where to put it.
        dtype: of the mask decoder's products. With bfloat16, where the processor has it, a click
            of the published networks takes less than half the time; features stay float32.
        random_weights: start from random weights, the same each time, instead of a checkpoint.
        overrides: fields of ``ModelConfig`` to change, for example ``decoder_layers=0``.

    Raises:
        InvalidInputError: no such preset, field, device or dtype.
        CheckpointError: no weights, or weights of another network; the message lists what differs.
    """
    config = preset(name)
    device = usable_device(device)
    if dtype not in _DTYPES:
        raise InvalidInputError(f"dtype={dtype!r} must be one of {', '.join(map(str, _DTYPES))}")
    if random_weights:
        if checkpoint is not None:
            raise CheckpointError(
                f"random_weights=True and a checkpoint ({checkpoint}): choose one"
            )
        model = _build(config.with_overrides(overrides))
        version = weights_version(f"{name}-random", model.state_dict())
        model.version = version + _changes(config, model.config)
        return model.to(device).multiply_in(dtype).eval()

    found = read(shipped(name) if checkpoint is None else checkpoint)
    if found.config is not None:
        if found.config.name != name:
            raise CheckpointError(
                f"{found.path} is of the preset {found.config.name!r}, not of {name!r}: ask for "
                f"{found.config.name!r}"
            )
        config = found.config
    return _filled(found, config, overrides).to(device).multiply_in(dtype).eval()


def load_file(checkpoint: Path | str, *, device: torch.device | str = "cpu") -> DynaMITE:
    """The network of a checkpoint of ours, which says what it is, in evaluation mode.

    Raises:
        InvalidInputError: no such device.
        CheckpointError: the file cannot be read, or is a published one, which does not say.
    """
    device = usable_device(device)
    found = read(checkpoint)
    if found.config is None:
        raise CheckpointError(
            f"{found.path} does not say what network it is: name its preset, or convert it with "
            "`dynamite convert`"
        )
    return _filled(found, found.config, {}).to(device).eval()


def _filled(found: Checkpoint, config: ModelConfig, overrides: dict[str, Any]) -> DynaMITE:
    model = _build(config.with_overrides(overrides))
    weights = fitting_weights(found, model)
    model.load_state_dict(weights)
    version = found.version or weights_version(config.name, weights)
    model.version = version + _changes(config, model.config)
    return model


def _changes(before: ModelConfig, after: ModelConfig) -> str:
    """What to add to the version of the weights, as features of the two must not be mixed."""
    changed = [
        f"{name}={getattr(after, name)}"
        for name in _SHAPING
        if getattr(after, name) != getattr(before, name)
    ]
    return f" with {', '.join(changed)}" if changed else ""


def _build(config: ModelConfig) -> DynaMITE:
    """The network with the same random weights each time, the caller's generator untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # not those of GPUs, which the fork leaves out
        return DynaMITE(config)


def shipped(name: str) -> Path:
    """The checkpoint of a preset that ships with the package."""
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint ships for {name!r}: give the file of one (in Python as the second "
            "argument of load(); random_weights=True there is a network that knows nothing)"
        )
    return path
