"""Infers the network of published weights from their names and shapes.

A misshaped entry is ignored here. Converting the weights, which is strict, then names it.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dynamite.checkpoints.published import published_name
from dynamite.errors import CheckpointError
from dynamite.network.config import ClickEncoding, ModelConfig, preset

_CLICKS = published_name("bootstrapper.", backbone="")
"""Prefix of all published names but those of backbone and pixel decoder."""

_IDENTIFYING_NAMES = {
    "resnet50": "backbone.stem.conv1.weight",
    "hrnet32": "backbone.stage4.0.branches.0.0.conv1.weight",
    "segformer_b0": "backbone.patch_embed1.proj.weight",
}


def infer_preset(published: Mapping[str, Tensor]) -> str:
    """Infer the preset of published weights.

    Raises:
        CheckpointError: they belong to none.
    """
    for name, entry in _IDENTIFYING_NAMES.items():
        if entry in published:
            return name
    patches = published.get("backbone.patch_embed.proj.weight")
    widths: dict[tuple[int, ...], str] = {(96,): "swin_tiny", (192,): "swin_large"}
    if patches is not None and patches.shape[:1] in widths:
        return widths[patches.shape[:1]]
    raise CheckpointError(
        "the weights belong to no published network: there is no entry of a known backbone "
        f"among {sorted(published)[:4]}…"
    )


def infer_config(
    published: Mapping[str, Tensor], preset_name: str | None = None, **overrides: Any
) -> ModelConfig:
    """Infer the network of published weights, ablations included.

    Args:
        published: the entry "model" of the checkpoint.
        preset_name: the preset, if known.
        overrides: fields of ``ModelConfig`` that are known.

    Raises:
        CheckpointError: they belong to no network, or to an ablation that does not show in them.
    """
    config = preset(preset_name or infer_preset(published))
    decodes = any(name.startswith(_CLICKS + "decoder.") for name in published)
    shown: dict[str, Any] = {
        "decoder_layers": config.decoder_layers if decodes else 0,
        "static_background_queries": _infer_static_queries(published, config),
    }
    if "click_encoding" not in overrides:
        shown["click_encoding"] = _infer_click_encoding(published)
    return config.with_overrides(shown | overrides)


def _infer_static_queries(published: Mapping[str, Tensor], config: ModelConfig) -> int:
    queries = published.get(_CLICKS + "static_bg_query")
    if queries is None:
        return 0
    return len(queries) if queries.ndim else config.static_background_queries


def _infer_click_encoding(published: Mapping[str, Tensor]) -> ClickEncoding:
    projection = published.get(_CLICKS + "ca_qpos_sine_proj.weight")
    if projection is None:
        return "none"
    if projection.ndim != 2 or projection.shape[1] > projection.shape[0]:
        return "spatio_temporal"
    raise CheckpointError(
        "the weights encode either position or time of clicks, and their shapes do not show "
        'which: give click_encoding="spatial" or click_encoding="temporal"'
    )
