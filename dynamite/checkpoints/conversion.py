"""Turns a checkpoint, ours or published, into the weights of a network or a file of ours."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dynamite.checkpoints import checkpoint
from dynamite.checkpoints.checkpoint import Checkpoint
from dynamite.checkpoints.published import convert_state_dict
from dynamite.checkpoints.published_config import infer_config, infer_preset
from dynamite.checkpoints.state_dicts import require_same_entries
from dynamite.errors import CheckpointError
from dynamite.network.config import ModelConfig
from dynamite.network.model import DynaMITE

PUBLISHED_DESCRIPTION = {
    "licence": "MIT (DynaMITe, ICCV 2023)",
    "training_data": "COCO and LVIS; backbone on ImageNet",
}


def fitting_weights(source: Checkpoint, model: DynaMITE) -> dict[str, Tensor]:
    """Return the weights of ``source`` under the names of ``model``.

    Args:
        source: the checkpoint.
        model: the network; may be on the meta device.

    Raises:
        CheckpointError: they are for another network; the message lists what is missing, extra or
            misshaped.
    """
    try:
        if source.kind == "published":
            return convert_state_dict(source.state_dict, model)
        require_same_entries(source.state_dict, model.state_dict())
    except CheckpointError as error:
        raise CheckpointError(f"{source.path}{_hint(source, model.config)}: {error}") from error
    return source.state_dict


def _hint(source: Checkpoint, wanted: ModelConfig) -> str:
    """Name the preset of the weights if it is plainly another one."""
    try:
        name = source.config.name if source.config else infer_preset(source.state_dict)
    except CheckpointError:  # the entry that identifies the preset is itself broken
        return ""
    if name == wanted.name:
        return ""
    return f" holds weights of {name!r}, but the network is {wanted.name!r}"


def convert(
    path_in: str | Path, path_out: str | Path, preset_name: str | None = None, **overrides: Any
) -> tuple[ModelConfig, str]:
    """Convert a published checkpoint to a file of ours.

    Args:
        path_in: the published file (docs/network.md, 1).
        path_out: the safetensors file to write.
        preset_name: the network; inferred from the weights if left out.
        overrides: fields of ``ModelConfig`` that the weights do not show.

    Returns:
        The config of the network and the version of its weights.

    Raises:
        CheckpointError: not a published checkpoint, not of that network, or the output cannot be
            written.
    """
    source = checkpoint.read(path_in)
    if source.kind == "ours":
        raise CheckpointError(f"{path_in} is in our own format already: nothing to convert")
    try:
        config = infer_config(source.state_dict, preset_name, **overrides)
    except CheckpointError as error:
        raise CheckpointError(f"{path_in}: {error}") from error
    with torch.device("meta"):
        model = DynaMITE(config)
    model.load_state_dict(fitting_weights(source, model), assign=True)
    origin = {"converted_from": Path(path_in).name}
    return config, checkpoint.save(model, path_out, PUBLISHED_DESCRIPTION | origin)
