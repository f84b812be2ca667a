"""Multi-scale deformable attention in plain PyTorch (docs/network.md, 4).

The four corners of every bilinear sample are rows of one table of values. One weighted
``embedding_bag`` gathers them all, so nothing of size tokens × points × channels is ever written.
Besides products, what remains is arithmetic on coordinates, for S = levels · points samples per
token and head, in as few passes as possible.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, pad

from dynamite.network.token_products import linear

LEVELS = 3
POINTS = 4
SAMPLES = LEVELS * POINTS

BORDER = 2
"""Cells of zeros around each level. A sample clamped into them gets nothing from outside."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The layout of three levels in one table: everything that depends on their sizes alone.

    Attributes:
        sizes: (h, w) of the levels, coarsest first.
        reference_T2: (x, y) in 0…1 of the cells, in token order.
        size_2S: width and height of each sample's level, in cells.
        stride_S: distance between the rows of that level in the table.
        first_S: index of the level's first cell in the table.
        cell_count: cells of all levels, borders included.
    """

    sizes: tuple[tuple[int, int], ...]
    reference_T2: Tensor
    size_2S: Tensor
    stride_S: Tensor
    first_S: Tensor
    cell_count: int

    @classmethod
    def from_sizes(cls, sizes: Sequence[tuple[int, int]], device: torch.device) -> "Grid":
        """Return the grid of levels of these (h, w), coarsest first."""
        height_L, width_L = torch.tensor(sizes, device=device).unbind(-1)
        stride_L = width_L + 2 * BORDER
        end_L = ((height_L + 2 * BORDER) * stride_L).cumsum(0)
        first_L = end_L - (height_L + 2 * BORDER) * stride_L
        size_2S = torch.stack((width_L, height_L)).repeat_interleave(POINTS, dim=1)
        return cls(
            sizes=tuple(sizes),
            reference_T2=torch.cat([_cell_centers(h, w, device) for h, w in sizes]),
            size_2S=size_2S.float(),
            stride_S=stride_L.repeat_interleave(POINTS).int(),
            first_S=first_L.repeat_interleave(POINTS).int(),
            cell_count=int(end_L[-1]),
        )

    def table(self, value_BTC: Tensor, heads: int) -> Tensor:
        """Return the table: a row (C/H) for each image, head and cell, in this order."""
        levels = value_BTC.unflatten(-1, (heads, -1)).split([h * w for h, w in self.sizes], dim=1)
        bordered = [
            pad(level.unflatten(1, size).permute(0, 3, 1, 2, 4), (0, 0, *(BORDER,) * 4))
            for level, size in zip(levels, self.sizes, strict=True)
        ]
        joined = torch.cat([level.flatten(2, 3) for level in bordered], dim=2)
        return joined.flatten(0, 2)

    def corners(self, batch: int, heads: int) -> Tensor:
        """Return the offsets from a sample's cell in its level to its table rows: (B, 1, H, 4, S).

        Corners: upper left, upper right, lower left, lower right.
        """
        image_B1 = torch.arange(batch, device=self.first_S.device)[:, None]
        head_BH = image_B1 * heads + torch.arange(heads, device=self.first_S.device)
        start_BHS = head_BH[..., None] * self.cell_count + self.first_S
        zero_S = torch.zeros_like(self.stride_S)
        step_4S = torch.stack((zero_S, zero_S + 1, self.stride_S, self.stride_S + 1))
        return (start_BHS[:, None, :, None] + step_4S).int()


@dataclass(frozen=True, slots=True)
class PreparedValues:
    """The values of one attention layer, laid out for all tokens to gather from.

    Attributes:
        grid: the layout.
        heads: H.
        table: from ``Grid.table``.
        corners_B1H4S: from ``Grid.corners``.
        sampling: weight and bias of the projection to sample offsets and attention weights.
        output: weight and bias of the output projection.
    """

    grid: Grid
    heads: int
    table: Tensor
    corners_B1H4S: Tensor
    sampling: tuple[Tensor, Tensor]
    output: tuple[Tensor, Tensor]

    def attend(self, query_BTC: Tensor, tokens: slice) -> Tensor:
        """Return the attention output (B, T, C).

        Args:
            query_BTC: some tokens, plus their positions.
            tokens: which tokens of the image they are.
        """
        shape = (*query_BTC.shape[:2], self.heads, SAMPLES)
        x, y, weights = linear(query_BTC, *self.sampling).float().chunk(3, dim=-1)
        # Softmax is several times faster over a dimension that is not the last.
        weights = weights.unflatten(-1, (SAMPLES, self.heads)).softmax(dim=2).transpose(2, 3)
        width_S, height_S = self.grid.size_2S
        center_T2 = self.grid.reference_T2[tokens]
        x0, right = _corner(x.reshape(shape), center_T2[:, 0], width_S)
        y0, below = _corner(y.reshape(shape), center_T2[:, 1], height_S)
        # Exact in float32: a level has fewer than 2²⁴ cells.
        cell = torch.addcmul(x0, y0, self.grid.stride_S.float()).int()
        rows = cell[:, :, :, None] + self.corners_B1H4S

        lower = weights * below
        upper = weights - lower
        upper_right, lower_right = upper * right, lower * right
        shares = torch.stack(
            (upper - upper_right, upper_right, lower - lower_right, lower_right), dim=3
        )
        gathered = embedding_bag(
            rows.view(-1, 4 * SAMPLES),
            self.table,
            mode="sum",
            per_sample_weights=shares.view(-1, 4 * SAMPLES).to(self.table),
        )
        return linear(gathered.view(query_BTC.shape), *self.output)


class DeformableAttention(nn.Module):
    """Each token samples 4 points per head and level, around its own position on the three maps."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(channels, heads * SAMPLES * 2)
        self.attention_weights = nn.Linear(channels, heads * SAMPLES)
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
        distance_P = torch.arange(1, POINTS + 1)
        star = star_H2[:, None, None] * distance_P[None, None, :, None]
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(star.expand(-1, LEVELS, -1, -1).flatten())
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def prepare(self, value_BTC: Tensor, grid: Grid) -> PreparedValues:
        """Project and lay out the values of all levels' tokens (B, T, C)."""
        value = linear(value_BTC, self.value_proj.weight, self.value_proj.bias)
        return PreparedValues(
            grid=grid,
            heads=self.heads,
            table=grid.table(value, self.heads),
            corners_B1H4S=grid.corners(len(value_BTC), self.heads),
            sampling=(self._sampling("weight"), self._sampling("bias")),
            output=(self.output_proj.weight, self.output_proj.bias),
        )

    def _sampling(self, name: str) -> Tensor:
        """Return one projection to all x and all y, by head and sample, and weights, by sample."""
        offsets = getattr(self.sampling_offsets, name).unflatten(0, (-1, 2))
        weights = getattr(self.attention_weights, name).unflatten(0, (self.heads, SAMPLES))
        return torch.cat((offsets[:, 0], offsets[:, 1], weights.transpose(0, 1).flatten(0, 1)))


def _corner(offset_BTHS: Tensor, center_T: Tensor, size_S: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cell before each sample along one axis, and the share of the next: (B, T, H, S).

    In cells of the level with its border: (center + offset / size) · size − ½ + border.
    """
    center_TS = torch.addcmul(center_T.new_tensor(BORDER - 0.5), center_T[:, None], size_S)
    # NaN must not become an index outside the table. The attention weights keep the output NaN.
    position = (offset_BTHS + center_TS[:, None]).nan_to_num(nan=0.0)
    position = position.clamp(min=0).minimum(size_S + BORDER)
    cell = position.floor()
    return cell, position - cell


def _cell_centers(height: int, width: int, device: torch.device) -> Tensor:
    """Return (x, y) in 0…1 of the cells of a map, row by row: (h·w, 2)."""
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    return torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), dim=-1).flatten(0, 1)
