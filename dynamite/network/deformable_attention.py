"""Multi-scale deformable attention in plain PyTorch (MODEL_SPEC 4.1).

The four corners of every bilinear sample, weighted by the attention, are rows of one table of
values, so the whole gathering is a single weighted ``embedding_bag``: nothing of size
tokens × points × channels is ever written. What is left besides products is arithmetic on
coordinates, S = levels · points of them a token and head, in as few passes as possible.
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
"""Zeros around each level: of a sample held inside them, no corner that is outside shows."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Three levels laid out as one table of places: all that depends on their sizes alone.

    ``sizes`` are (h, w), coarsest first; ``reference_T2`` (x, y) in 0…1 of their cells in the order
    of the tokens; ``size_2S`` width and height of the level of each sample, ``stride_S`` its rows'
    distance in the table, ``first_S`` where it begins; ``places`` how many places there are.
    """

    sizes: tuple[tuple[int, int], ...]
    reference_T2: Tensor
    size_2S: Tensor
    stride_S: Tensor
    first_S: Tensor
    places: int

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], device: torch.device) -> "Grid":
        """The grid of levels of these (h, w)."""
        height_L, width_L = torch.tensor(sizes, device=device).unbind(-1)
        stride_L = width_L + 2 * BORDER
        end_L = ((height_L + 2 * BORDER) * stride_L).cumsum(0)
        first_L = end_L - (height_L + 2 * BORDER) * stride_L
        size_2S = torch.stack((width_L, height_L)).repeat_interleave(POINTS, dim=1)
        return cls(
            sizes=tuple(sizes),
            reference_T2=torch.cat([_cell_centres(h, w, device) for h, w in sizes]),
            size_2S=size_2S.float(),
            stride_S=stride_L.repeat_interleave(POINTS).int(),
            first_S=first_L.repeat_interleave(POINTS).int(),
            places=int(end_L[-1]),
        )

    def table(self, value_BTC: Tensor, heads: int) -> Tensor:
        """A row (C/H) for each image, head and place, in this order."""
        levels = value_BTC.unflatten(-1, (heads, -1)).split([h * w for h, w in self.sizes], dim=1)
        bordered = [
            pad(level.unflatten(1, size).permute(0, 3, 1, 2, 4), (0, 0, *(BORDER,) * 4))
            for level, size in zip(levels, self.sizes, strict=True)
        ]
        joined = torch.cat([level.flatten(2, 3) for level in bordered], dim=2)
        return joined.flatten(0, 2)

    def corners(self, batch: int, heads: int) -> Tensor:
        """What to add to a sample's place in its level for its rows of the table: (B, 1, H, 4, S).

        Corners: upper left, upper right, lower left, lower right.
        """
        image_B1 = torch.arange(batch, device=self.first_S.device)[:, None]
        part_BH = image_B1 * heads + torch.arange(heads, device=self.first_S.device)
        start_BHS = part_BH[..., None] * self.places + self.first_S
        zero_S = torch.zeros_like(self.stride_S)
        step_4S = torch.stack((zero_S, zero_S + 1, self.stride_S, self.stride_S + 1))
        return (start_BHS[:, None, :, None] + step_4S).int()


@dataclass(frozen=True, slots=True)
class Gathering:
    """One attention, its values laid out for all tokens to gather from."""

    grid: Grid
    heads: int
    table: Tensor
    corners_B1H4S: Tensor
    look: tuple[Tensor, Tensor]
    output: tuple[Tensor, Tensor]

    def attend(self, query_BTC: Tensor, tokens: slice) -> Tensor:
        """Attended tokens (B, T, C).

        Args:
            query_BTC: some tokens, with their positions.
            tokens: which tokens of the image they are.
        """
        shape = (*query_BTC.shape[:2], self.heads, SAMPLES)
        x, y, weights = linear(query_BTC, *self.look).float().chunk(3, dim=-1)
        # Softmax is several times faster over a dimension that is not the last.
        weights = weights.unflatten(-1, (SAMPLES, self.heads)).softmax(dim=2).transpose(2, 3)
        width_S, height_S = self.grid.size_2S
        centre_T2 = self.grid.reference_T2[tokens]
        x0, right = _corner(x.reshape(shape), centre_T2[:, 0], width_S)
        y0, below = _corner(y.reshape(shape), centre_T2[:, 1], height_S)
        # Exact in float32: a level has fewer than 2²⁴ places.
        place = torch.addcmul(x0, y0, self.grid.stride_S.float()).int()
        rows = place[:, :, :, None] + self.corners_B1H4S

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
    """Each token gathers 4 points a head and level around its own place on the three maps."""

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
        reach_P = torch.arange(1, POINTS + 1)
        star = star_H2[:, None, None] * reach_P[None, None, :, None]
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(star.expand(-1, LEVELS, -1, -1).flatten())
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def prepare(self, value_BTC: Tensor, grid: Grid) -> Gathering:
        """Lay out the values of all tokens (B, T, C) of all levels."""
        value = linear(value_BTC, self.value_proj.weight, self.value_proj.bias)
        return Gathering(
            grid=grid,
            heads=self.heads,
            table=grid.table(value, self.heads),
            corners_B1H4S=grid.corners(len(value_BTC), self.heads),
            look=(self._look("weight"), self._look("bias")),
            output=(self.output_proj.weight, self.output_proj.bias),
        )

    def _look(self, name: str) -> Tensor:
        """One projection for all x (by head and sample), all y, all weights (sample and head)."""
        offsets = getattr(self.sampling_offsets, name).unflatten(0, (-1, 2))
        weights = getattr(self.attention_weights, name).unflatten(0, (self.heads, SAMPLES))
        return torch.cat((offsets[:, 0], offsets[:, 1], weights.transpose(0, 1).flatten(0, 1)))


def _corner(offset_BTHS: Tensor, centre_T: Tensor, size_S: Tensor) -> tuple[Tensor, Tensor]:
    """Along one axis, the cell before each sample and the share of the next one: (B, T, H, S) each.

    In cells of the level with its border: (centre + offset / size) · size − ½ + border.
    """
    centre_TS = torch.addcmul(centre_T.new_tensor(BORDER - 0.5), centre_T[:, None], size_S)
    # A network that has lost its numbers answers with NaN, not with a row outside the table.
    place = (offset_BTHS + centre_TS[:, None]).nan_to_num(nan=0.0)
    place = place.clamp(min=0).minimum(size_S + BORDER)
    cell = place.floor()
    return cell, place - cell


def _cell_centres(height: int, width: int, device: torch.device) -> Tensor:
    """(x, y) in 0…1 of the cells of a map, row by row: (h·w, 2)."""
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    return torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), dim=-1).flatten(0, 1)
