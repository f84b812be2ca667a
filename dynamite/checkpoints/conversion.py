"""From a checkpoint, whoever wrote it, to the weights of a network and to a file of our own."""

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
    """Return the weights of ``source`` by the names of ``model``, which may be on the meta device.

    Raises:
        CheckpointError: they are of another network; lists missing, extra and misshaped entries.
    """
    try:
        if source.kind == "published":
            return convert_state_dict(source.state_dict, model)
        require_same_entries(source.state_dict, model.state_dict())
    except CheckpointError as error:
        raise CheckpointError(f"{source.path}{_hint(source, model.config)}: {error}") from error
    return source.state_dict


def _hint(source: Checkpoint, wanted: ModelConfig) -> str:
    """Say so when the weights are plainly of another preset."""
    try:
        name = source.config.name if source.config else infer_preset(source.state_dict)
    except CheckpointError:  # the very entry that tells is what is wrong
        return ""
    if name == wanted.name:
        return ""
    return f" holds weights of {name!r}, but the network is {wanted.name!r}"


def convert(
    path_in: str | Path, path_out: str | Path, preset_name: str | None = None, **overrides: Any
) -> tuple[ModelConfig, str]:
    """Write the weights of a published checkpoint as a file of ours.

    Args:
        path_in: the published file (MODEL_SPEC 13).
        path_out: the safetensors file to write.
        preset_name: the network; told from the weights if not given.
        overrides: fields of ``ModelConfig`` that the weights do not tell.

    Returns:
        The config of the network and the version of its weights.

    Raises:
        CheckpointError: not a published checkpoint, not of that network, or not writable.
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
