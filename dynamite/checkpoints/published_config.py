"""Which network published weights are of, told from their names and shapes (MODEL_SPEC 11 and 16).

A misshaped entry tells nothing here: converting the weights, which is strict, then names it.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dynamite.checkpoints.published import published_name
from dynamite.errors import CheckpointError
from dynamite.network.config import ClickEncoding, ModelConfig, preset

_CLICKS = published_name("bootstrapper.", backbone="")
"""How the names of all that answers clicks begin."""

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
    widths: dict[tuple[int, ...], str] = {(96,): "swin_tiny", (192,): "swin_large"}
    if patches is not None and patches.shape[:1] in widths:
        return widths[patches.shape[:1]]
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
        "the weights use either the place or the time of clicks, and their shapes do not tell "
        'which: give click_encoding="spatial" or click_encoding="temporal"'
    )
