"""Multi-scale deformable attention in plain PyTorch (MODEL_SPEC 4.1)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear, pad

LEVELS = 3
POINTS = 4


class DeformableAttention(nn.Module):
    """Each token gathers 4 points a head and level around its own place on the three maps.

    The four corners of every bilinear sample, weighted by the attention, are rows of one table of
    values, so the whole gathering is a single weighted ``embedding_bag``: nothing of size
    tokens × points × channels is ever written.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(channels, heads * LEVELS * POINTS * 2)
        self.attention_weights = nn.Linear(channels, heads * LEVELS * POINTS)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        self._reset()

    def _reset(self) -> None:
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        angle = torch.arange(self.heads) * (2 * math.pi / self.heads)
        star_H2 = torch.stack((angle.cos(), angle.sin()), dim=-1)
        star_H2 = star_H2 / star_H2.abs().amax(dim=-1, keepdim=True)
        reach_P = torch.arange(1, POINTS + 1)
        star = star_H2[:, None, None] * reach_P[None, None, :, None]
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(star.expand(-1, LEVELS, -1, -1).flatten())
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def table(self, value_BTC: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
        """What all tokens gather from: a row (C/H) for each image, place and head, in this order.

        Args:
            value_BTC: the tokens of all levels.
            sizes: (h, w) of the levels, in the order of the tokens.
        """
        bordered = _with_borders(self.value_proj(value_BTC), sizes)
        return bordered.reshape(-1, value_BTC.shape[-1] // self.heads)

    def gather(
        self,
        query_BTC: Tensor,
        table: Tensor,
        reference_T2: Tensor,
        sizes: Sequence[tuple[int, int]],
    ) -> Tensor:
        """Attended tokens (B, T, C), of all tokens or of some.

        Args:
            query_BTC: those tokens with their positions.
            table: from ``table``.
            reference_T2: (x, y) of each of them in 0…1.
            sizes: (h, w) of the levels.
        """
        batch, tokens, channels = query_BTC.shape
        offsets = self.sampling_offsets(query_BTC).float()
        offsets = offsets.view(batch, tokens, self.heads, LEVELS, POINTS, 2)
        weights = self.attention_weights(query_BTC).float()
        weights = weights.view(batch, tokens, self.heads, LEVELS * POINTS).softmax(dim=-1)
        rows, shares = self._corners(offsets, weights, reference_T2, sizes)
        gathered = embedding_bag(
            rows.view(-1, rows.shape[-1]),
            table,
            mode="sum",
            per_sample_weights=shares.view(-1, rows.shape[-1]).to(table),
        )
        return linear(
            gathered.view(batch, tokens, channels), self.output_proj.weight, self.output_proj.bias
        )

    def _corners(
        self,
        offsets_BTHLP2: Tensor,
        weights_BTHS: Tensor,
        reference_T2: Tensor,
        sizes: Sequence[tuple[int, int]],
    ) -> tuple[Tensor, Tensor]:
        """Row in the value table and share of each of the L·P·4 corners: (B, T, H, 4·L·P) each."""
        batch, _, heads = offsets_BTHLP2.shape[:3]
        device = offsets_BTHLP2.device
        size_L2 = torch.tensor([(w, h) for h, w in sizes], device=device)
        counts = torch.tensor([(h + 2) * (w + 2) for h, w in sizes], device=device)
        width_L1, height_L1 = size_L2[:, :1], size_L2[:, 1:]

        # Pixels of the sampled level with its border: (reference + offset / size) · size − ½ + 1.
        centre = reference_T2[:, None, :] * size_L2 + 0.5
        place = offsets_BTHLP2 + centre[None, :, None, :, None, :]
        corner = place.floor()
        right, below = (place - corner).unbind(-1)
        x, y = corner.long().unbind(-1)
        share = weights_BTHS.unflatten(-1, (LEVELS, POINTS))
        lower = share * below
        upper = share - lower

        # Where each image's and head's part of the table begins; a row of it is one head's value.
        image = torch.arange(batch, device=device).view(-1, 1, 1, 1, 1) * int(counts.sum())
        level_L1 = (counts.cumsum(0) - counts)[:, None]
        head = torch.arange(heads, device=device).view(1, 1, -1, 1, 1)
        start = (image + level_L1) * heads + head
        stride = (width_L1 + 2) * heads
        # Outside, every sample falls on the border of zeros.
        top = start + _clamp(y, height_L1 + 1) * stride
        bottom = start + _clamp(y + 1, height_L1 + 1) * stride
        left = _clamp(x, width_L1 + 1) * heads
        far = _clamp(x + 1, width_L1 + 1) * heads

        rows = torch.stack((top + left, top + far, bottom + left, bottom + far), dim=-1)
        upper_right, lower_right = upper * right, lower * right
        shares = torch.stack(
            (upper - upper_right, upper_right, lower - lower_right, lower_right), dim=-1
        )
        return rows.flatten(3), shares.flatten(3)


def _clamp(index: Tensor, largest_L1: Tensor) -> Tensor:
    """``index`` in 0 … ``largest``."""
    return index.clamp(min=0).minimum(largest_L1)


def _with_borders(value_BTC: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """The levels with a border of zeros each, one after the other: (B, Σ (h+2)·(w+2), C)."""
    levels = value_BTC.split([h * w for h, w in sizes], dim=1)
    bordered = [
        pad(level.unflatten(1, size), (0, 0, 1, 1, 1, 1)).flatten(1, 2)
        for level, size in zip(levels, sizes, strict=True)
    ]
    return torch.cat(bordered, dim=1)
