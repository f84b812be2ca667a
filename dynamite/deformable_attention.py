"""Multi-scale deformable attention in plain PyTorch (MODEL_SPEC 4.1)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear

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

    def forward(
        self,
        query_BTC: Tensor,
        value_BTC: Tensor,
        reference_T2: Tensor,
        sizes: Sequence[tuple[int, int]],
    ) -> Tensor:
        """Attended tokens (B, T, C).

        Args:
            query_BTC: tokens of all levels with their positions.
            value_BTC: the same tokens without.
            reference_T2: (x, y) of each token in 0…1.
            sizes: (h, w) of the levels, in the order of the tokens.
        """
        batch, tokens, channels = value_BTC.shape
        value = self.value_proj(value_BTC).view(batch * tokens * self.heads, -1)
        offsets = self.sampling_offsets(query_BTC).float()
        offsets = offsets.view(batch, tokens, self.heads, LEVELS, POINTS, 2)
        weights = self.attention_weights(query_BTC).float()
        weights = weights.view(batch, tokens, self.heads, LEVELS * POINTS).softmax(dim=-1)
        rows, shares = self._corners(offsets, weights, reference_T2, sizes)
        if value.dtype == torch.bfloat16 and value.device.type == "cpu":
            value = value.float()  # its CPU kernel is quick in float32 only
        gathered = embedding_bag(
            rows.flatten(0, 2), value, mode="sum", per_sample_weights=shares.flatten(0, 2).to(value)
        )
        gathered = gathered.view(batch, tokens, channels).to(query_BTC.dtype)
        return linear(gathered, self.output_proj.weight, self.output_proj.bias)

    def _corners(
        self,
        offsets_BTHLP2: Tensor,
        weights_BTHS: Tensor,
        reference_T2: Tensor,
        sizes: Sequence[tuple[int, int]],
    ) -> tuple[Tensor, Tensor]:
        """Row in the value table and share of each of the L·P·4 corners: (B, T, H, 4·L·P) each."""
        batch, tokens = offsets_BTHLP2.shape[:2]
        device = offsets_BTHLP2.device
        size_L2 = torch.tensor([(w, h) for h, w in sizes], device=device)
        counts = torch.tensor([h * w for h, w in sizes], device=device)
        start_L1 = (counts.cumsum(0) - counts)[:, None]
        width_L1, height_L1 = size_L2[:, :1], size_L2[:, 1:]

        # Pixels of the sampled level: (reference + offset / size) · size − ½.
        centre = reference_T2[:, None, :] * size_L2 - 0.5
        place = centre[None, :, None, :, None, :] + offsets_BTHLP2
        corner = place.floor()
        right, below = (place - corner).unbind(-1)
        left_x, top_y = corner.long().unbind(-1)
        share = weights_BTHS.unflatten(-1, (LEVELS, POINTS))
        # The first row of each image in the table, and how far apart two tokens of a head are.
        image = torch.arange(batch, device=device).view(-1, 1, 1, 1, 1) * tokens
        head = torch.arange(self.heads, device=device).view(1, 1, -1, 1, 1)

        rows, shares = [], []
        for dy, share_y in ((0, 1 - below), (1, below)):
            for dx, share_x in ((0, 1 - right), (1, right)):
                x, y = left_x + dx, top_y + dy
                inside = (x >= 0) & (x < width_L1) & (y >= 0) & (y < height_L1)
                token = start_L1 + torch.where(inside, y * width_L1 + x, 0)
                rows.append((image + token) * self.heads + head)
                shares.append(share * share_y * share_x * inside)
        return torch.stack(rows, -1).flatten(3), torch.stack(shares, -1).flatten(3)
