"""Loads a network by preset name and checkpoint, or from a file of ours alone."""

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
"""Checkpoints that ship with the package, one per preset."""

_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)

_SHAPING = ("mean", "std")
"""Config fields that change features although the weights stay the same."""


def load(
    name: str,
    checkpoint: Path | str | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    random_weights: bool = False,
    **overrides: Any,
) -> DynaMITE:
    """Return a network in evaluation mode.

    Args:
        name: a preset (``dynamite.network.config.PRESETS``).
        checkpoint: a file of ours or a published one; left out, the one that ships.
        device: where to put the network.
        dtype: of the mask decoder's products; features stay float32. On a processor with bfloat16
            instructions, bfloat16 more than halves the time of a click on the published networks.
        random_weights: use random weights, the same each time, instead of a checkpoint.
        overrides: fields of ``ModelConfig`` to change, for example ``decoder_layers=0``.

    Raises:
        InvalidInputError: no such preset, field, device or dtype.
        CheckpointError: there are no weights, or they are for another network; the message lists
            what differs.
    """
    config = preset(name)
    device = usable_device(device)
    if dtype not in _DTYPES:
        raise InvalidInputError(f"dtype={dtype!r} must be one of {', '.join(map(str, _DTYPES))}")
    if random_weights:
        if checkpoint is not None:
            raise CheckpointError(
                f"random_weights=True excludes a checkpoint ({checkpoint}): choose one"
            )
        model = _build(config.with_overrides(overrides))
        version = weights_version(f"{name}-random", model.state_dict())
        model.version = version + _version_suffix(config, model.config)
        return model.to(device).set_product_dtype(dtype).eval()

    found = read(shipped(name) if checkpoint is None else checkpoint)
    if found.config is not None:
        if found.config.name != name:
            raise CheckpointError(
                f"{found.path} holds the preset {found.config.name!r}, not {name!r}: load "
                f"{found.config.name!r}"
            )
        config = found.config
    return _load_weights(found, config, overrides).to(device).set_product_dtype(dtype).eval()


def load_file(checkpoint: Path | str, *, device: torch.device | str = "cpu") -> DynaMITE:
    """Return the network of a checkpoint of ours, in evaluation mode.

    Args:
        checkpoint: a file of ours, whose metadata names its network.
        device: where to put the network.

    Raises:
        InvalidInputError: no such device.
        CheckpointError: the file cannot be read, or is a published one, which names no network.
    """
    device = usable_device(device)
    found = read(checkpoint)
    if found.config is None:
        raise CheckpointError(
            f"{found.path} does not state its network: name a preset, or convert it with "
            "`dynamite convert`"
        )
    return _load_weights(found, found.config, {}).to(device).eval()


def _load_weights(found: Checkpoint, config: ModelConfig, overrides: dict[str, Any]) -> DynaMITE:
    config_used = config.with_overrides(overrides)
    with torch.device("meta"):  # without memory: a config may ask for more than there is
        outline = DynaMITE(config_used)
    weights = fitting_weights(found, outline)
    model = _build(config_used)
    model.load_state_dict(weights)
    version = found.version or weights_version(config.name, weights)
    model.version = version + _version_suffix(config, model.config)
    return model


def _version_suffix(before: ModelConfig, after: ModelConfig) -> str:
    """Return what to append to the version, so that features of the two are never mixed."""
    changed = [
        f"{name}={getattr(after, name)}"
        for name in _SHAPING
        if getattr(after, name) != getattr(before, name)
    ]
    return f" with {', '.join(changed)}" if changed else ""


def _build(config: ModelConfig) -> DynaMITE:
    """Return the network with the same random weights each time; torch's generator is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # GPU generators are not forked, so leave them alone
        return DynaMITE(config)


def shipped(name: str) -> Path:
    """Return the path of the checkpoint that ships for a preset.

    Raises:
        CheckpointError: none ships.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint ships for {name!r}: give the path of one (in Python, the second "
            "argument of load(); random_weights=True makes an untrained network)"
        )
    return path
