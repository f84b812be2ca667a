"""The network a run begins with."""

from pathlib import Path

import torch

from dynamite.config import preset
from dynamite.model import DynaMITE
from training.config import TrainingConfig
from training.loop.randomness import Purpose, torch_seed
from training.loop.start_weights import load_backbone


def build_model(config: TrainingConfig, device: torch.device) -> DynaMITE:
    """The config's network with its start weights; the rest is random, from the seed."""
    source = config.model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(config.seed, Purpose.NETWORK))
        model = DynaMITE(preset(source.preset).with_overrides(source.overrides))
    if source.checkpoint is not None:
        from dynamite.checkpoint import load_weights  # noqa: PLC0415

        load_weights(model, Path(source.checkpoint))
    elif source.backbone_weights is not None:
        load_backbone(model.backbone, model.config.backbone, source.backbone_weights)
    if config.compute.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.to(device)
