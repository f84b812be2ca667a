"""The convolutional backbones and MiT-B0, built by timm."""

import torch
from torch import Tensor, nn

from dynamite.network._compat import import_timm
from dynamite.network.backbones.base import Backbone, Maps
from dynamite.network.backbones.specs import TimmSpec


class ConstantBatchNorm(nn.Module):
    """Batch norm whose scale, shift and statistics are constants."""

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
        """Normalize with the stored statistics; the shape stays."""
        return nn.functional.batch_norm(
            maps_BChw, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-5
        )


class TimmBackbone(Backbone):
    """The last four feature maps of a timm network; its weights are random."""

    def __init__(self, spec: TimmSpec, *, drop_path_rate: float | None, frozen_norm: bool) -> None:
        super().__init__(spec.channels, frozen_norm=frozen_norm)
        self.channels_last = spec.channels_last
        options = dict(spec.options)
        if spec.constant_norm:
            options["norm_layer"] = ConstantBatchNorm
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
