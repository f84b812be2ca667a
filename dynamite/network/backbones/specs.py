"""The backbones by name. Adding a backbone means adding one entry here.

The settings make the networks equal to the published ones (docs/network.md, 3). Nothing here
imports torch: reading a config checks names against this table and must stay fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """What the rest of the project needs to know about a backbone, however it is built.

    Attributes:
        stride8_fpn: the pixel decoder gets a second FPN level, at stride 8 (docs/network.md, 4).
        early_parameters: prefixes of the network's parameter names that retraining keeps fixed.
    """

    stride8_fpn: bool = False
    early_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SwinSpec(BackboneSpec):
    """A Swin Transformer.

    Attributes:
        width: channels of the first stage; each further stage doubles them.
        depths: blocks of each stage.
        heads: attention heads of each stage.
        window: tokens on a side of a window.
        drop_path_rate: published probability of skipping the last block in training.
    """

    width: int
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    window: int
    drop_path_rate: float = 0.3


@dataclass(frozen=True, kw_only=True)
class TimmSpec(BackboneSpec):
    """A feature extractor built by timm.

    Attributes:
        timm_name: timm's name of the network.
        channels: of the maps at strides 4, 8, 16 and 32.
        out_indices: which of timm's maps these are.
        options: further arguments of ``timm.create_model``.
        drop_path_rate: published probability of skipping the last block in training; None for
            networks without stochastic depth.
        constant_norm: batch norms are constants, as if they were part of the convolutions.
        frozen_parts: modules that the published training kept fixed.
        channels_last: answers come faster with the channels last in memory (measured on a CPU).
        foreign_start_key: a key that only start weights under foreign names hold. Such a file has
            the tensors of timm's classifier in the same order.
    """

    timm_name: str
    channels: tuple[int, int, int, int]
    out_indices: tuple[int, ...] = (1, 2, 3, 4)
    options: Mapping[str, Any] = field(default_factory=dict)
    drop_path_rate: float | None = None
    constant_norm: bool = False
    frozen_parts: tuple[str, ...] = ()
    channels_last: bool = False
    foreign_start_key: str | None = None


_LITE_EARLY = ("backbone.body.conv_stem.", "backbone.body.bn1.", "backbone.body.blocks.0.")
"""Edges and colors: a retraining has nothing new to learn in them."""

BACKBONES: dict[str, SwinSpec | TimmSpec] = {
    "swin_tiny": SwinSpec(width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), window=7),
    "swin_large": SwinSpec(width=192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48), window=12),
    "resnet50": TimmSpec(
        timm_name="resnet50",
        channels=(256, 512, 1024, 2048),
        # A constant scale of zero would switch the residual branches off for good.
        options={"zero_init_last": False},
        constant_norm=True,
    ),
    "hrnet32": TimmSpec(
        timm_name="hrnet_w32",
        channels=(32, 64, 128, 256),
        options={"feature_location": ""},  # the branches themselves, not the classifier's neck
        stride8_fpn=True,
    ),
    "segformer_b0": TimmSpec(
        timm_name="pvt_v2_b0",  # MiT-B0 but for the width of its MLPs
        channels=(32, 64, 160, 256),
        out_indices=(0, 1, 2, 3),
        options={"mlp_ratios": (4, 4, 4, 4)},
        drop_path_rate=0.1,
        frozen_parts=("patch_embed", "stages_0"),
    ),
    "efficientnet_lite0": TimmSpec(
        timm_name="tf_efficientnet_lite0",
        channels=(24, 40, 112, 320),
        channels_last=True,  # a quarter less time: few channels, and depthwise convolutions
        early_parameters=_LITE_EARLY,
        foreign_start_key="_conv_stem.weight",
    ),
    "efficientnet_lite2": TimmSpec(
        timm_name="tf_efficientnet_lite2",
        channels=(24, 48, 120, 352),
        channels_last=True,
        early_parameters=_LITE_EARLY,
        foreign_start_key="_conv_stem.weight",
    ),
}
