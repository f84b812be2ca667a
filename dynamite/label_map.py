"""From stride-4 logits to a label map at any size (MODEL_SPEC 8), rarely pixel by pixel.

The reference resizes every query's logits to the padded input, crops, resizes to the output and
takes the argmax. Both resizings are bilinear, so an output value is a convex combination of the few
logits around it. Over a small tile of the output, a query whose largest logit there is below
another's smallest cannot win. Most tiles thus have one possible owner and are filled; only the
others, along the borders between objects, are interpolated, and only for their candidates.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 16
"""Output pixels on a side of a tile: small enough that few tiles touch a border."""

_BUDGET = 1 << 22
"""Interpolated values held at once (16 MB in float32)."""


def label_map(
    logits_Qhw: Tensor,
    owners_Q: Tensor,
    *,
    padded_size: tuple[int, int],
    input_size: tuple[int, int],
    output_size: tuple[int, int],
) -> Tensor:
    """Which object each pixel belongs to: (H, W) int16, −1 for the background.

    Args:
        logits_Qhw: of one image, at stride 4 of the padded input.
        owners_Q: the object of each query, −1 for the background. Ties go to the first query.
        padded_size: (H, W) of the padded input.
        input_size: (H, W) of the input before padding.
        output_size: (H, W) wanted.
    """
    logits_Qhw = logits_Qhw.float()
    rows = Axis.resample(logits_Qhw.shape[1], padded_size[0], input_size[0], output_size[0])
    columns = Axis.resample(logits_Qhw.shape[2], padded_size[1], input_size[1], output_size[1])
    rows, columns = rows.to(logits_Qhw.device), columns.to(logits_Qhw.device)
    owners = owners_Q.to(logits_Qhw.device, torch.int16)

    candidates_Qyx = _candidates(logits_Qhw, rows, columns)
    lowest, highest = _owner_range(candidates_Qyx, owners)
    tiles = lowest[:, None, :, None].expand(-1, TILE, -1, TILE).clone()
    mixed = (lowest != highest).nonzero()
    pairs = candidates_Qyx[:, mixed[:, 0], mixed[:, 1]].T
    counts = pairs.sum(dim=1)
    for count in counts.unique().tolist():
        chosen = (counts == count).nonzero()[:, 0]
        for part in chosen.split(max(1, _BUDGET // (count * TILE * TILE))):
            queries = pairs[part].nonzero()[:, 1].view(-1, count)
            y, x = mixed[part].unbind(1)
            values = _interpolate(logits_Qhw, queries, rows, columns, y, x)
            tiles[y, :, x] = _winners(values, owners[queries])
    whole = tiles.flatten(2).flatten(0, 1)
    return whole[: output_size[0], : output_size[1]].contiguous()


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the resampling: tile t depends on the cells ``start_t`` … ``start_t`` + K − 1.

    ``weights_tTK`` are the shares of these cells in each of the tile's pixels.
    """

    start_t: Tensor
    weights_tTK: Tensor

    @classmethod
    def resample(cls, cells: int, padded: int, inside: int, output: int) -> "Axis":
        """``cells`` logits → ``padded`` input pixels → the first ``inside`` → ``output`` pixels."""
        tiles = -(-output // TILE)
        near, far, share = _bilinear(inside, output)
        first, second, inner = _bilinear(cells, padded)
        taps = torch.stack((first[near], second[near], first[far], second[far]), dim=1)
        shares = torch.stack(
            (
                (1 - share) * (1 - inner[near]),
                (1 - share) * inner[near],
                share * (1 - inner[far]),
                share * inner[far],
            ),
            dim=1,
        )
        missing = tiles * TILE - output  # the last tile repeats the last pixel
        taps = torch.cat((taps, taps[-1:].expand(missing, -1))).view(tiles, TILE, 4)
        shares = torch.cat((shares, shares[-1:].expand(missing, -1))).view(tiles, TILE, 4)
        lowest = taps.amin(dim=(1, 2))
        reach = int((taps.amax(dim=(1, 2)) - lowest).max()) + 1
        start = lowest.clamp(max=cells - reach)
        weights = torch.zeros(tiles, TILE, reach, dtype=torch.float64)
        weights.scatter_add_(2, taps - start[:, None, None], shares)
        return cls(start, weights.float())

    def to(self, device: torch.device) -> "Axis":
        """The same on another device."""
        return Axis(self.start_t.to(device), self.weights_tTK.to(device))

    @property
    def cells_tK(self) -> Tensor:
        """Indices of the cells each tile depends on."""
        return self.start_t[:, None] + torch.arange(
            self.weights_tTK.shape[2], device=self.start_t.device
        )


def object_scores(logits_Qhw: Tensor, owners_Q: Tensor, objects: int) -> Tensor:
    """How sure the network is of each object: (N) in 0…1.

    The mean probability, against the best other object or the background, of the stride-4 cells
    that the object wins; 0 where it wins none.
    """
    logits = logits_Qhw.float().flatten(1)
    owners = owners_Q.to(logits.device)
    merged = torch.stack([logits[owners == index].amax(dim=0) for index in range(-1, objects)])
    (best, other), (winner, _) = merged.topk(2, dim=0)
    sure = (best - other).sigmoid()
    total = logits.new_zeros(objects + 1).index_add_(0, winner, sure)
    count = winner.bincount(minlength=objects + 1)
    scores: Tensor = total / count.clamp(min=1)
    return scores[1:]


def _bilinear(source: int, target: int) -> tuple[Tensor, Tensor, Tensor]:
    """Lower and upper source index of each target pixel and the upper one's share."""
    place = (torch.arange(target, dtype=torch.float64) + 0.5) * (source / target) - 0.5
    place = place.clamp(min=0)
    lower = place.floor().long().clamp(max=source - 1)
    return lower, (lower + 1).clamp(max=source - 1), place - lower


def _candidates(logits_Qhw: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """Which queries can win a pixel of each tile: (Q, tiles, tiles) boolean."""
    by_row = logits_Qhw[:, rows.cells_tK]
    largest = by_row.amax(dim=2)[:, :, columns.cells_tK].amax(dim=3)
    smallest = by_row.amin(dim=2)[:, :, columns.cells_tK].amin(dim=3)
    return largest >= smallest.amax(dim=0)


def _owner_range(candidates_Qyx: Tensor, owners_Q: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest owner among the candidates of each tile."""
    owners = owners_Q[:, None, None]
    limit = torch.iinfo(torch.int16)
    lowest = torch.where(candidates_Qyx, owners, limit.max).amin(dim=0)
    return lowest, torch.where(candidates_Qyx, owners, limit.min).amax(dim=0)


def _interpolate(
    logits_Qhw: Tensor, queries_nk: Tensor, rows: Axis, columns: Axis, y: Tensor, x: Tensor
) -> Tensor:
    """Logits of n tiles for their k candidates: (n, k, TILE, TILE)."""
    cells = logits_Qhw[
        queries_nk[:, :, None, None],
        rows.cells_tK[y][:, None, :, None],
        columns.cells_tK[x][:, None, None, :],
    ]
    across = cells @ columns.weights_tTK[x].transpose(1, 2)[:, None]
    return rows.weights_tTK[y][:, None] @ across


def _winners(values_nkTT: Tensor, owners_nk: Tensor) -> Tensor:
    """The owner of the largest value, the first of equals: (n, TILE, TILE)."""
    best = values_nkTT[:, 0]
    winner = owners_nk[:, :1, None].expand(-1, TILE, TILE)
    for candidate in range(1, values_nkTT.shape[1]):
        value = values_nkTT[:, candidate]
        winner = torch.where(value > best, owners_nk[:, candidate, None, None], winner)
        best = torch.maximum(value, best)
    return winner
