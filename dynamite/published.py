"""The names that published checkpoints use, and their weights under ours (MODEL_SPEC 13 and 16).

The tables map the beginning of our name to the beginning of the published one. ``#`` stands for a
number, ``@`` for the number one higher; the first row that fits counts; the rest of the name stays.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from dynamite.config import ClickEncoding, ModelConfig, preset
from dynamite.errors import CheckpointError
from dynamite.model import DynaMITE
from dynamite.state_dicts import require_same_entries

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
    """What a published checkpoint with that backbone calls our parameter or buffer ``name``.

    A name that no row fits, as of a part that the published networks lack, is returned as it is.
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
        model: the network that the weights are meant for; its own weights do not matter, so it may
            be on the meta device.

    Raises:
        CheckpointError: missing, extra or misshaped entries, or values that are not finite; the
            message lists them by their published names.
    """
    own = model.state_dict()
    sources = {name: published_name(name, model.config.backbone) for name in own}
    given = {name: value for name, value in published.items() if not _is_derived(name)}
    require_same_entries(given, {sources[name]: value for name, value in own.items()})
    counter = torch.zeros((), dtype=torch.long)  # the one kind of entry that may be missing
    return {name: given.get(source, counter) for name, source in sources.items()}


def _is_derived(name: str) -> bool:
    """Swin's table of relative positions follows from the window's size: we compute it."""
    return name.endswith("relative_position_index")


_TELLING_NAMES = {
    "resnet50": "backbone.stem.conv1.weight",
    "hrnet32": "backbone.stage4.0.branches.0.0.conv1.weight",
    "segformer_b0": "backbone.patch_embed1.proj.weight",
}


def infer_preset(published: Mapping[str, Tensor]) -> str:
    """Tell from names and shapes which preset published weights are of.

    Raises:
        CheckpointError: they are of none.
    """
    for name, telling in _TELLING_NAMES.items():
        if telling in published:
            return name
    patches = published.get("backbone.patch_embed.proj.weight")
    widths = {96: "swin_tiny", 192: "swin_large"}
    if patches is not None and patches.shape[0] in widths:
        return widths[patches.shape[0]]
    raise CheckpointError(
        "the weights are of no published network: there is no entry of a backbone known here "
        f"among {sorted(published)[:4]}…"
    )


def infer_config(
    published: Mapping[str, Tensor], preset_name: str | None = None, **overrides: Any
) -> ModelConfig:
    """Tell from names and shapes which network published weights are of, ablations included.

    Args:
        published: the entry "model" of the checkpoint.
        preset_name: the preset, where it is known.
        overrides: fields of ``ModelConfig`` that are known.

    Raises:
        CheckpointError: they are of none, or of an ablation whose setting does not show in them.
    """
    config = preset(preset_name or infer_preset(published))
    static = published.get(_CLICKS + "static_bg_query")
    decodes = any(name.startswith(_CLICKS + "decoder.") for name in published)
    shown: dict[str, Any] = {
        "decoder_layers": config.decoder_layers if decodes else 0,
        "static_background_queries": 0 if static is None else static.shape[0],
    }
    if "click_encoding" not in overrides:
        shown["click_encoding"] = _infer_click_encoding(published)
    return config.with_overrides(shown | overrides)


def _infer_click_encoding(published: Mapping[str, Tensor]) -> ClickEncoding:
    projection = published.get(_CLICKS + "ca_qpos_sine_proj.weight")
    if projection is None:
        return "none"
    if projection.shape[-1] > projection.shape[0]:
        return "spatio_temporal"
    raise CheckpointError(
        "the weights use either the place or the time of clicks, and their shapes do not tell "
        'which: give click_encoding="spatial" or click_encoding="temporal"'
    )
