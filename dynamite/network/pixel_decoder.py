"""The pixel decoder: from backbone maps to mask features and three levels (docs/network.md, 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dynamite.network.config import NORM_GROUPS
from dynamite.network.deformable_attention import LEVELS, DeformableAttention, Grid
from dynamite.network.position_encoding import encode_map
from dynamite.network.token_products import linear, token_chunks

CHUNK_TOKENS = 1 << 15
"""Tokens at once on a CPU. These layers are mostly products, which are faster on many tokens; the
limit bounds memory."""


class DeformableLayer(nn.Module):
    """x ← LN(x + DA(x + position, x)); x ← LN(x + FFN(x)); DA is deformable attention."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.norm2 = nn.LayerNorm(channels)

    def forward(
        self,
        tokens_BTC: Tensor,
        position_TC: Tensor,
        grid: Grid,
    ) -> Tensor:
        """Return the tokens of all levels after this layer (B, T, C)."""
        values = self.attention.prepare(tokens_BTC, grid)
        done = []
        count = tokens_BTC.shape[1]
        for chunk in token_chunks(count, tokens_BTC.device, chunk_tokens=CHUNK_TOKENS):
            part_BTC = tokens_BTC[:, chunk]
            attended = values.attend(part_BTC + position_TC[chunk], chunk)
            part_BTC = self.norm1(part_BTC + attended)
            hidden = linear(part_BTC, self.linear1.weight, self.linear1.bias).relu_()
            changed = linear(hidden, self.linear2.weight, self.linear2.bias)
            done.append(self.norm2(part_BTC + changed))
        return torch.cat(done, dim=1)


class FpnLevel(nn.Module):
    """Adds a backbone map to the upsampled coarser level, then convolves."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.lateral_norm = group_norm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv_norm = group_norm(channels)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return the level (B, C, h, w) at the size of ``fine``."""
        # In place: at stride 4 every pass goes through main memory.
        joined = upsample(coarse, fine.shape[-2:]).add_(self.lateral_norm(self.lateral(fine)))
        level: Tensor = self.conv_norm(self.conv(joined)).relu_()
        return level


class PixelDecoder(nn.Module):
    """Deformable encoder over strides 32, 16, 8; FPN to stride 4; sum of refined maps.

    Without deformable layers (``lite``), coarser levels are added to finer ones instead.

    Args:
        backbone_channels: channels of the backbone's maps at strides 4, 8, 16, 32.
        channels: C of all outputs.
        heads: of the deformable attention.
        layers: of the deformable encoder; may be 0.
        feedforward: hidden width of its feed-forward networks.
        stride8_fpn: HRNet's layout: a second FPN level at stride 8; stride 32 is left out of the
            fusion.
    """

    def __init__(
        self,
        backbone_channels: tuple[int, int, int, int],
        *,
        channels: int,
        heads: int,
        layers: int,
        feedforward: int,
        stride8_fpn: bool,
    ) -> None:
        super().__init__()
        self.stride8_fpn = stride8_fpn
        self.input_proj = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels_in, channels, 1), group_norm(channels))
            for channels_in in backbone_channels[:0:-1]
        )
        if layers:
            self.level_embed = nn.Parameter(torch.randn(LEVELS, channels))
        self.layers = nn.ModuleList(
            DeformableLayer(channels, heads, feedforward) for _ in range(layers)
        )
        # Finest first: index 0 makes stride 4, index 1 (HRNet) stride 8.
        self.fpn = nn.ModuleList(
            FpnLevel(channels_in, channels)
            for channels_in in backbone_channels[: 2 if stride8_fpn else 1]
        )
        self.refine = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.mask_features = nn.Conv2d(channels, channels, 1)

    def forward(
        self, backbone_maps: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Return the mask features at stride 4 and the levels M32, M16, M8, each (B, C, h, w).

        Args:
            backbone_maps: at strides 4, 8, 16, 32.
        """
        map_4, map_8, map_16, map_32 = backbone_maps
        projected = [
            projection(level)
            for projection, level in zip(self.input_proj, (map_32, map_16, map_8), strict=True)
        ]
        levels = self._encode(projected) if self.layers else _top_down(projected)
        m32, m16, m8 = levels
        if self.stride8_fpn:
            f8 = self.fpn[1](map_8, m8)
            f4, fused = self.fpn[0](map_4, f8), (f8, m8, m16)
        else:
            f4, fused = self.fpn[0](map_4, m8), (m8, m16, m32)
        refined = [conv(level) for conv, level in zip(self.refine, fused, strict=True)]
        total = refined[0]
        for coarse in refined[1:]:
            total = upsample(coarse, total.shape[-2:]).add_(total)
        return self.mask_features(upsample(total, f4.shape[-2:]).add_(f4)), (m32, m16, m8)

    def _encode(self, levels: Sequence[Tensor]) -> list[Tensor]:
        sizes = [(level.shape[-2], level.shape[-1]) for level in levels]
        device, dtype = levels[0].device, levels[0].dtype
        position = torch.cat(
            [
                encode_map(h, w, levels[0].shape[1], device) + self.level_embed[index].float()
                for index, (h, w) in enumerate(sizes)
            ]
        ).to(dtype)
        grid = Grid.from_sizes(sizes, device)
        tokens = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, position, grid)
        split = tokens.transpose(1, 2).split([h * w for h, w in sizes], dim=-1)
        return [
            part.unflatten(-1, size).contiguous() for part, size in zip(split, sizes, strict=True)
        ]


def group_norm(channels: int) -> nn.GroupNorm:
    """Return the group norm used throughout the pixel decoder."""
    return nn.GroupNorm(NORM_GROUPS, channels)


def upsample(coarse: Tensor, size: Sequence[int]) -> Tensor:
    """Resize bilinearly to (h, w), with half-pixel centers."""
    return interpolate(coarse, size=tuple(size), mode="bilinear", align_corners=False)


def _top_down(levels: Sequence[Tensor]) -> list[Tensor]:
    """Add each level to the next finer one: the fusion without deformable layers."""
    joined = [levels[0]]
    for level in levels[1:]:
        joined.append(level + upsample(joined[-1], level.shape[-2:]))
    return joined
