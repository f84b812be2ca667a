"""The interface of all backbones."""

from typing import Self

from torch import Tensor, nn

Maps = tuple[Tensor, Tensor, Tensor, Tensor]


class Backbone(nn.Module):
    """A network from normalized images B×3×H×W to four maps B×C×h×w of strides 4, 8, 16 and 32.

    H and W are at least 32; DynaMITE pads them to multiples of 32 (docs/network.md, 2). The maps
    may have the channels-last memory format.

    Attributes:
        channels: C of the four maps, from stride 4 to stride 32.
        frozen_norm: batch norms keep their statistics, scale and shift in training, too. A batch of
            a few images, as in retraining, is too small to estimate statistics from.
    """

    def __init__(self, channels: tuple[int, int, int, int], *, frozen_norm: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.frozen_norm = frozen_norm

    def forward(self, images_B3HW: Tensor) -> Maps:
        """Return the maps of strides 4, 8, 16, 32."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, except for frozen batch norms."""
        super().train(mode)
        if self.frozen_norm:
            for norm in self._batch_norms():
                norm.eval().requires_grad_(False)
        return self

    def _batch_norms(self) -> list[nn.Module]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
