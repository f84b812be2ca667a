"""Swin Transformer as the published networks use it (docs/network.md, 3).

Built from timm's layers. timm's own block rolls the map before it pads it. The published block pads
first, which differs as soon as a map is not a multiple of the window.
"""

from torch import Tensor, nn

from dynamite.network._compat import import_timm
from dynamite.network.backbones.base import Backbone, Maps
from dynamite.network.backbones.specs import SwinSpec
from dynamite.network.backbones.window_attention import WindowAttention


class SwinTransformer(Backbone):
    """Four stages of window attention. Each output passes a layer norm of its own."""

    def __init__(self, spec: SwinSpec, *, drop_path_rate: float | None = None) -> None:
        c = spec.width
        super().__init__((c, 2 * c, 4 * c, 8 * c))
        timm = import_timm()
        self.patch_embed = PatchEmbedding(c)
        self.merges = nn.ModuleList(
            timm.models.swin_transformer.PatchMerging(channels) for channels in self.channels[:-1]
        )
        rate = spec.drop_path_rate if drop_path_rate is None else drop_path_rate
        drop_rates = timm.layers.calculate_drop_path_rates(rate, list(spec.depths), stagewise=True)
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    SwinBlock(channels, heads, spec.window, shifted=i % 2 == 1, drop_rate=drop_rate)
                    for i, drop_rate in enumerate(stage_rates)
                )
            )
            for channels, heads, stage_rates in zip(
                self.channels, spec.heads, drop_rates, strict=True
            )
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for channels in self.channels)
        self.apply(_initialize)

    def forward(self, images_B3HW: Tensor) -> Maps:
        """Return the maps of strides 4, 8, 16, 32."""
        tokens_BhwC = self.patch_embed(images_B3HW)
        maps = []
        for i, (stage, norm) in enumerate(zip(self.stages, self.norms, strict=True)):
            if i > 0:
                tokens_BhwC = self.merges[i - 1](tokens_BhwC)
            tokens_BhwC = stage(tokens_BhwC)
            maps.append(norm(tokens_BhwC).permute(0, 3, 1, 2))
        stride4, stride8, stride16, stride32 = maps
        return stride4, stride8, stride16, stride32


class PatchEmbedding(nn.Module):
    """Turn images B×3×H×W, padded to multiples of 4, into tokens B×h×w×C of stride 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, kernel_size=4, stride=4)
        self.norm = nn.LayerNorm(channels)

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Return the tokens."""
        height, width = images_B3HW.shape[-2:]
        padded = nn.functional.pad(images_B3HW, (0, -width % 4, 0, -height % 4))
        tokens_BhwC: Tensor = self.norm(self.proj(padded).permute(0, 2, 3, 1))
        return tokens_BhwC


class SwinBlock(nn.Module):
    """Attention inside windows, then an MLP. Odd blocks shift the windows by half their size."""

    def __init__(
        self, channels: int, heads: int, window: int, *, shifted: bool, drop_rate: float
    ) -> None:
        super().__init__()
        layers = import_timm().layers
        self.window = window
        self.shift = window // 2 if shifted else 0
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads, window, shift=self.shift)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = layers.Mlp(channels, 4 * channels)
        self.drop_path = layers.DropPath(drop_rate)

    def forward(self, tokens_BhwC: Tensor) -> Tensor:
        """Return the tokens, the same shape."""
        tokens_BhwC = tokens_BhwC + self.drop_path(self._attend(self.norm1(tokens_BhwC)))
        updated: Tensor = tokens_BhwC + self.drop_path(self.mlp(self.norm2(tokens_BhwC)))
        return updated

    def _attend(self, tokens_BhwC: Tensor) -> Tensor:
        height, width = tokens_BhwC.shape[1:3]
        size, shift = self.window, self.shift
        # Pad before rolling: the published weights were trained that way.
        padded = nn.functional.pad(tokens_BhwC, (0, 0, 0, -width % size, 0, -height % size))
        rolled = padded.roll((-shift, -shift), dims=(1, 2)) if shift else padded
        attended = _join(self.attn(_split(rolled, size)), size)
        unrolled = attended.roll((shift, shift), dims=(1, 2)) if shift else attended
        return unrolled[:, :height, :width]


def _split(tokens_BhwC: Tensor, size: int) -> Tensor:
    """Cut a map into a grid of r×c windows of N = size² tokens: B×r×c×N×C."""
    batch, height, width, channels = tokens_BhwC.shape
    rows, columns = height // size, width // size
    grid = tokens_BhwC.reshape(batch, rows, size, columns, size, channels).transpose(2, 3)
    return grid.reshape(batch, rows, columns, size * size, channels)


def _join(windows_BrcNC: Tensor, size: int) -> Tensor:
    """Undo ``_split``."""
    batch, rows, columns, _, channels = windows_BrcNC.shape
    grid = windows_BrcNC.reshape(batch, rows, columns, size, size, channels).transpose(2, 3)
    return grid.reshape(batch, rows * size, columns * size, channels)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
