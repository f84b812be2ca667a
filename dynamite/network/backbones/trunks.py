"""The convolutional backbones and MiT-B0: networks of timm, with the settings that matter.

MODEL_SPEC 14 lists why each setting is needed for equality with the published networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dynamite.network._compat import import_timm
from dynamite.network.backbones.base import Backbone, Maps


class FrozenBatchNorm(nn.Module):
    """Batch norm whose scale, shift and statistics are constants (MODEL_SPEC 3, resnet50)."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        channels: int,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}.items():
            constant = torch.full((channels,), float(value), device=device, dtype=dtype)
            self.register_buffer(name, constant)

    def forward(self, maps_BChw: Tensor) -> Tensor:
        """Normalise with the stored statistics; the shape stays."""
        return nn.functional.batch_norm(
            maps_BChw, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-5
        )


@dataclass(frozen=True)
class TrunkSpec:
    """How timm builds one trunk, and which of its parts the published training kept fixed."""

    timm_name: str
    channels: tuple[int, int, int, int]
    out_indices: tuple[int, ...] = (1, 2, 3, 4)
    options: Mapping[str, Any] = field(default_factory=dict)
    drop_path_rate: float | None = None
    frozen_parts: tuple[str, ...] = ()
    channels_last: bool = False
    """Whether answers come faster with the channels last in memory (measured on a CPU)."""


TRUNKS: dict[str, TrunkSpec] = {
    "resnet50": TrunkSpec(
        timm_name="resnet50",
        channels=(256, 512, 1024, 2048),
        # A frozen scale of zero would switch the residual branches off for good.
        options={"norm_layer": FrozenBatchNorm, "zero_init_last": False},
    ),
    "hrnet32": TrunkSpec(
        timm_name="hrnet_w32",
        channels=(32, 64, 128, 256),
        options={"feature_location": ""},  # the branches themselves, not the classifier's neck
    ),
    "segformer_b0": TrunkSpec(
        timm_name="pvt_v2_b0",  # MiT-B0 but for the width of its MLPs
        channels=(32, 64, 160, 256),
        out_indices=(0, 1, 2, 3),
        options={"mlp_ratios": (4, 4, 4, 4)},
        drop_path_rate=0.1,
        frozen_parts=("patch_embed", "stages_0"),
    ),
    "efficientnet_lite0": TrunkSpec(
        timm_name="tf_efficientnet_lite0",
        channels=(24, 40, 112, 320),
        channels_last=True,  # a quarter less: few channels, and depthwise convolutions
    ),
}


class Trunk(Backbone):
    """A network of timm with its last four feature maps; its weights are random."""

    def __init__(self, spec: TrunkSpec, *, drop_path_rate: float | None, frozen_norm: bool) -> None:
        super().__init__(spec.channels, frozen_norm=frozen_norm)
        self.channels_last = spec.channels_last
        options = dict(spec.options)
        if drop_path_rate is None:
            drop_path_rate = spec.drop_path_rate
        if drop_path_rate is not None:
            options["drop_path_rate"] = drop_path_rate
        self.body: nn.Module = import_timm().create_model(
            spec.timm_name,
            pretrained=False,
            features_only=True,
            out_indices=spec.out_indices,
            **options,
        )
        for name in spec.frozen_parts:
            self.body.get_submodule(name).requires_grad_(False)
        self.train()

    def forward(self, images_B3HW: Tensor) -> Maps:
        """Return the maps of strides 4, 8, 16, 32."""
        if self.channels_last and not torch.is_grad_enabled():
            images_B3HW = images_B3HW.contiguous(memory_format=torch.channels_last)
        stride4, stride8, stride16, stride32 = (
            level.contiguous() for level in self.body(images_B3HW)
        )
        return stride4, stride8, stride16, stride32
