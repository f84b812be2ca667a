"""Builds the network that a run starts with, and writes its weights."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from dynamite.checkpoints import checkpoint
from dynamite.errors import CheckpointError
from dynamite.network.config import preset
from dynamite.network.model import DynaMITE
from training.config import ModelSource, TrainingConfig
from training.loop.randomness import Purpose, torch_seed
from training.loop.sources import Sources
from training.loop.start_weights import load_backbone

REFINER = "refiner."
"""Prefix of the refiner's parameters. If the checkpoint has no refiner of this shape, the refiner
keeps its initial weights, with which it changes nothing. All other parts must be in it."""

DECODER = "mask_decoder."
"""Prefix of the mask decoder's parameters. A checkpoint's decoder is dropped only if the config
says ``decoder_layers: 0``."""


def build_model(
    config: TrainingConfig, device: torch.device, note: Callable[[str], None] = lambda _: None
) -> DynaMITE:
    """Build the config's network with its start weights; all others are random, from the seed.

    Args:
        config: the run.
        device: where the network goes.
        note: called if the refiner starts from its initial weights or a mask decoder is dropped.

    Raises:
        CheckpointError: the start weights cannot be read or do not fit.
    """
    source = config.model
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(torch_seed(config.seed, Purpose.NETWORK))
        model = DynaMITE(preset(source.preset).with_overrides(source.overrides))
    if source.checkpoint is not None:
        weights: Mapping[str, Tensor] = checkpoint.read(source.checkpoint).state_dict
        new, old = _part(model.state_dict(), REFINER), _part(weights, REFINER)
        if new and _shapes(new) != _shapes(old):
            note(
                f"the refiner starts from its initial weights: {source.checkpoint} has "
                f"{'one of another shape' if old else 'none'}"
            )
            weights = {k: v for k, v in weights.items() if k not in old} | new
        weights = _with_decoder(weights, source, model.config.decoder_layers, note)
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(f"{source.checkpoint} does not fit: {error}") from error
    elif source.backbone_weights is not None:
        load_backbone(model.backbone, model.config.backbone, source.backbone_weights)
    if config.compute.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.to(device)


def _with_decoder(
    weights: Mapping[str, Tensor], source: ModelSource, layers: int, note: Callable[[str], None]
) -> Mapping[str, Tensor]:
    """Return the weights with the mask decoder if the config has one, without it if not."""
    decoder = _part(weights, DECODER)
    if bool(decoder) == bool(layers):
        return weights
    if not decoder:
        raise CheckpointError(
            f"{source.checkpoint} has no mask decoder: say `decoder_layers: 0` in model.overrides"
        )
    if source.overrides.get("decoder_layers") != 0:
        there = len({name.split(".")[2] for name in decoder})  # mask_decoder.layers.0.…
        raise CheckpointError(
            f"{source.checkpoint} has a mask decoder: say `decoder_layers: {there}` in "
            "model.overrides to keep it, 0 to drop it"
        )
    note(f"the mask decoder of {source.checkpoint} is dropped")
    return {name: value for name, value in weights.items() if name not in decoder}


def _part(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {entry: value for entry, value in weights.items() if entry.startswith(name)}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in weights.items()}


def write_weights(
    model: DynaMITE,
    path: Path,
    *,
    config: TrainingConfig,
    sources: Sources,
    step: int,
    metrics: dict[str, float],
) -> str:
    """Write the weights with their origin and return their version."""
    return checkpoint.save(
        model,
        path,
        {
            "licence": config.licence,
            "training_data": sources.images,
            "metrics": metrics,
            "training": {"config": config.as_dict(), "steps": step},
        },
    )
