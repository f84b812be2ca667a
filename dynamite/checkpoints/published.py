"""Maps our parameter names to those of published checkpoints, and their weights to ours.

The tables map the beginning of our name to the beginning of the published one. ``#`` stands for a
number, ``@`` for that number plus one. The first row that matches applies; the rest of the name
stays.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

import torch
from torch import Tensor

from dynamite.checkpoints.state_dicts import require_same_entries
from dynamite.network.backbones.window_attention import WindowAttention
from dynamite.network.model import DynaMITE

_PIXELS = "sem_seg_head.pixel_decoder."
_CLICKS = "sem_seg_head.interactive_transformer."

_HEAD = {
    "pixel_decoder.layers.#.attention.": _PIXELS + "transformer.encoder.layers.#.self_attn.",
    "pixel_decoder.layers.#.": _PIXELS + "transformer.encoder.layers.#.",
    "pixel_decoder.level_embed": _PIXELS + "transformer.level_embed",
    "pixel_decoder.fpn.#.lateral_norm.": _PIXELS + "adapter_@.norm.",
    "pixel_decoder.fpn.#.lateral.": _PIXELS + "adapter_@.",
    "pixel_decoder.fpn.#.conv_norm.": _PIXELS + "layer_@.norm.",
    "pixel_decoder.fpn.#.conv.": _PIXELS + "layer_@.",
    "pixel_decoder.": _PIXELS,
    "bootstrapper.projection.": _CLICKS + "queries_nonlinear_projection.",
    "bootstrapper.position_proj.": _CLICKS + "ca_qpos_sine_proj.",
    "bootstrapper.": _CLICKS,
    "instance_encoder.level_embed": _CLICKS + "level_embed.weight",
    "instance_encoder.layers.#.cross_attention.": (
        _CLICKS + "encoder.cross_attention_layers.#.multihead_attn."
    ),
    "instance_encoder.layers.#.cross_norm.": _CLICKS + "encoder.cross_attention_layers.#.norm.",
    "instance_encoder.layers.#.self_attention.": (
        _CLICKS + "encoder.self_attention_layers.#.self_attn."
    ),
    "instance_encoder.layers.#.self_norm.": _CLICKS + "encoder.self_attention_layers.#.norm.",
    "instance_encoder.layers.#.feedforward_norm.": _CLICKS + "encoder.ffn_layers.#.norm.",
    "instance_encoder.layers.#.linear": _CLICKS + "encoder.ffn_layers.#.linear",
    "mask_decoder.layers.#.attention.": (
        _CLICKS + "decoder.cross_attention_layers.#.multihead_attn."
    ),
    "mask_decoder.layers.#.attention_norm.": _CLICKS + "decoder.cross_attention_layers.#.norm.",
    "mask_decoder.layers.#.feedforward_norm.": _CLICKS + "decoder.ffn_layers.#.norm.",
    "mask_decoder.layers.#.linear": _CLICKS + "decoder.ffn_layers.#.linear",
    "head.norm.": _CLICKS + "layer_norm.",
    "head.mlp.": _CLICKS + "mask_embed.layers.",
}

_SWIN = {
    "backbone.stages.#.#.": "backbone.layers.#.blocks.#.",
    "backbone.merges.#.": "backbone.layers.#.downsample.",
    "backbone.norms.#.": "backbone.norm#.",
    "backbone.patch_embed.": "backbone.patch_embed.",
}

_RESNET = {
    "backbone.body.conv1.": "backbone.stem.conv1.",
    "backbone.body.bn1.": "backbone.stem.conv1.norm.",
    "backbone.body.layer#.#.conv#.": "backbone.res@.#.conv#.",
    "backbone.body.layer#.#.bn#.": "backbone.res@.#.conv#.norm.",
    "backbone.body.layer#.#.downsample.0.": "backbone.res@.#.shortcut.",
    "backbone.body.layer#.#.downsample.1.": "backbone.res@.#.shortcut.norm.",
}

_SEGFORMER = {
    "backbone.body.patch_embed.": "backbone.patch_embed1.",
    "backbone.body.stages_#.downsample.": "backbone.patch_embed@.",
    "backbone.body.stages_#.blocks.#.mlp.dwconv.": "backbone.block@.#.mlp.dwconv.dwconv.",
    "backbone.body.stages_#.blocks.": "backbone.block@.",
    "backbone.body.stages_#.norm.": "backbone.norm@.",
}

_BACKBONES = {
    "swin_tiny": _SWIN,
    "swin_large": _SWIN,
    "resnet50": _RESNET,
    "hrnet32": {"backbone.body.": "backbone."},
    "segformer_b0": _SEGFORMER,
}


def published_name(name: str, backbone: str) -> str:
    """Return the published name of our parameter or buffer ``name``, for a backbone.

    A name that no row matches, of a part the published networks lack, is returned unchanged.
    """
    for ours, theirs in _rows(backbone):
        found = ours.match(name)
        if found:
            return _fill(theirs, map(int, found.groups())) + name[found.end() :]
    return name


def _fill(pattern: str, numbers: Iterator[int]) -> str:
    return re.sub("[#@]", lambda sign: str(next(numbers) + (sign[0] == "@")), pattern)


@cache
def _rows(backbone: str) -> list[tuple[re.Pattern[str], str]]:
    table = _HEAD | _BACKBONES.get(backbone, {})
    return [
        (re.compile(re.escape(ours).replace(r"\#", r"(\d+)")), theirs)
        for ours, theirs in table.items()
    ]


def convert_state_dict(published: Mapping[str, Tensor], model: DynaMITE) -> dict[str, Tensor]:
    """Return the weights of a published checkpoint under the names of ``model``.

    Args:
        published: the entry "model" of the checkpoint.
        model: the network the weights are for; it may be on the meta device.

    Raises:
        CheckpointError: missing, extra or misshaped entries, or values that are not finite floats;
            the message lists them by their published names.
    """
    own = model.state_dict()
    sources = {name: published_name(name, model.config.backbone) for name in own}
    expected = {sources[name]: value for name, value in own.items()}
    require_same_entries(published, expected | dict(_position_indices(model)))
    # Only counters may be missing. Each gets its own tensor, because files may not share memory.
    return {
        name: published[source] if source in published else torch.zeros((), dtype=torch.long)
        for name, source in sources.items()
    }


def _position_indices(model: DynaMITE) -> Iterator[tuple[str, Tensor]]:
    """Yield Swin's tables of relative positions: published, though the window size implies them."""
    for name, module in model.named_modules():
        if isinstance(module, WindowAttention):
            source = published_name(f"{name}.relative_position_index", model.config.backbone)
            tokens = module.window**2
            yield source, torch.empty(tokens, tokens, dtype=torch.long, device="meta")
