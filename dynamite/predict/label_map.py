"""From coarse logits to a label map of any size, mostly tile by tile (docs/network.md, 7).

By definition, every query's logits are resized to the padded input, cropped, resized to the output,
and the largest wins. Both resizings are bilinear, so an output value is a convex combination of the
few logits around it. A query that leads in all cells that a small tile of the output depends on
wins the whole tile: most tiles are filled at once. In the others, along the borders between
objects, a query whose largest logit is below another's smallest cannot win. The rest, the
candidates, are interpolated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from dynamite.network.logit_margins import first_largest, replace_where_larger

TILE = 16
"""Output pixels on a side of a tile: few tiles this small touch a border."""

_MAX_VALUES = 1 << 22
"""Values gathered or interpolated at once: 16 MB in float32."""


def label_map(
    logits_Qhw: Tensor,
    owners_Q: Tensor,
    *,
    padded_size: tuple[int, int],
    input_size: tuple[int, int],
    output_size: tuple[int, int],
) -> Tensor:
    """Return the object index of each pixel: (H, W) int16, −1 for the background.

    Args:
        logits_Qhw: of one image's queries or objects, over the padded input. Ties go to the first.
        owners_Q: object index of each, −1 for the background.
        padded_size: (H, W) of the padded input.
        input_size: (H, W) of the input before padding.
        output_size: (H, W) of the result.
    """
    logits_Qhw = logits_Qhw.detach().float()
    rows = Axis.resample(logits_Qhw.shape[1], padded_size[0], input_size[0], output_size[0])
    columns = Axis.resample(logits_Qhw.shape[2], padded_size[1], input_size[1], output_size[1])
    rows, columns = rows.to(logits_Qhw.device), columns.to(logits_Qhw.device)
    owners = owners_Q.to(logits_Qhw.device, torch.int16)

    first, last = _range(first_largest(logits_Qhw), rows, columns)
    tiles_tTT = owners[first.long()].view(-1, 1, 1).repeat(1, TILE, TILE)
    mixed = (first != last).flatten().nonzero()[:, 0]
    values_per_tile = len(owners) * max(TILE * TILE, rows.reach * columns.reach)
    for tile in mixed.split(max(1, _MAX_VALUES // values_per_tile)):
        y, x = tile // first.shape[1], tile % first.shape[1]
        logits_Qnc = _gather(logits_Qhw, rows, columns, y, x)
        candidates_nQ = _candidates(logits_Qnc)
        rivals_nQ = candidates_nQ & (owners != owners[first[y, x].long(), None])
        for group, limit in _group_by_count(candidates_nQ.sum(dim=1) * rivals_nQ.any(dim=1)):
            queries_nk = _candidates_first(candidates_nQ[group], limit)
            logits_nkc = _of_queries(logits_Qnc, queries_nk, group)
            values_knP = _interpolate(logits_nkc, rows, columns, y[group], x[group])
            winners_nP = _winners(values_knP, owners[queries_nk])
            tiles_tTT.index_copy_(0, tile[group], winners_nP.unflatten(1, (TILE, TILE)))
    whole = tiles_tTT.view(*first.shape, TILE, TILE).transpose(1, 2).flatten(2).flatten(0, 1)
    return whole[: output_size[0], : output_size[1]].contiguous()


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the resampling, for tiles t of T pixels, each of which depends on K cells.

    Attributes:
        start_t: first of the cells ``start_t`` … ``start_t`` + K − 1.
        weights_tTK: weight of each cell in each pixel.
    """

    start_t: Tensor
    weights_tTK: Tensor

    @classmethod
    @lru_cache(maxsize=8)  # the same for every click on an image; a tenth of a label map's time
    def resample(cls, cells: int, padded: int, inside: int, output: int) -> "Axis":
        """Resize ``cells`` to ``padded`` pixels, crop to ``inside``, resize to ``output``."""
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
        missing = tiles * TILE - output  # repeat the last pixel in the last tile
        taps = torch.cat((taps, taps[-1:].expand(missing, -1))).view(tiles, TILE, 4)
        shares = torch.cat((shares, shares[-1:].expand(missing, -1))).view(tiles, TILE, 4)
        lowest = taps.amin(dim=(1, 2))
        reach = int((taps.amax(dim=(1, 2)) - lowest).max()) + 1
        start = lowest.clamp(max=cells - reach)
        weights = torch.zeros(tiles, TILE, reach, dtype=torch.float64)
        weights.scatter_add_(2, taps - start[:, None, None], shares)
        return cls(start, weights.float())

    def to(self, device: torch.device) -> "Axis":
        """Return the same axis on another device."""
        return Axis(self.start_t.to(device), self.weights_tTK.to(device))

    @property
    def reach(self) -> int:
        """K."""
        return self.weights_tTK.shape[2]

    @property
    def cells_tK(self) -> Tensor:
        """Indices of the cells each tile depends on: (tiles, K)."""
        return self.start_t[:, None] + torch.arange(self.reach, device=self.start_t.device)


def _bilinear(source: int, target: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return lower and upper source index of each target pixel, and the upper one's weight."""
    position = (torch.arange(target, dtype=torch.float64) + 0.5) * (source / target) - 0.5
    position = position.clamp(min=0)
    lower = position.floor().long().clamp(max=source - 1)
    return lower, (lower + 1).clamp(max=source - 1), position - lower


def _range(map_hw: Tensor, rows: Axis, columns: Axis) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest value of the cells each tile depends on: (tiles, tiles)."""
    size = len(rows.start_t), rows.reach, -1
    low_yw, high_yw = map_hw.index_select(0, rows.cells_tK.flatten()).view(size).aminmax(dim=1)
    low_yxK, high_yxK = (
        side.index_select(1, columns.cells_tK.flatten()).unflatten(1, columns.cells_tK.shape)
        for side in (low_yw, high_yw)
    )
    return low_yxK.amin(dim=2), high_yxK.amax(dim=2)


def _gather(logits_Qhw: Tensor, rows: Axis, columns: Axis, y: Tensor, x: Tensor) -> Tensor:
    """Return the logits of the c cells that each of n tiles depends on: (Q, n, c)."""
    down, across = rows.cells_tK[y] * logits_Qhw.shape[2], columns.cells_tK[x]
    cells = (down[:, :, None] + across[:, None]).flatten(1)
    return (
        logits_Qhw.flatten(1).index_select(1, cells.flatten()).view(len(logits_Qhw), *cells.shape)
    )


def _candidates(logits_Qnc: Tensor) -> Tensor:
    """Return which queries can win a pixel of each of n tiles: (n, Q) boolean."""
    low_Qn, high_Qn = logits_Qnc.amin(dim=2), logits_Qnc.amax(dim=2)
    return (high_Qn >= low_Qn.amax(dim=0)).T.contiguous()


def _group_by_count(counts_n: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield the tiles with at most 2, 4, 8, … candidates, and that number: few, large groups."""
    largest = int(counts_n.max()) if len(counts_n) else 0
    fewer, limit = 1, 2
    while fewer < largest:
        group = ((counts_n > fewer) & (counts_n <= limit)).nonzero()[:, 0]
        if len(group):
            yield group, limit
        fewer, limit = limit, 2 * limit


def _candidates_first(pairs_nQ: Tensor, limit: int) -> Tensor:
    """Return n tiles' candidates in query order, filled up with others, which cannot win."""
    order = pairs_nQ.byte().sort(dim=1, descending=True, stable=True).indices
    return order[:, :limit]


def _of_queries(logits_Qnc: Tensor, queries_nk: Tensor, chosen: Tensor) -> Tensor:
    """Return the logits of some of the tiles for their k candidates: (n, k, c)."""
    tiles = logits_Qnc.shape[1]
    index_nk = queries_nk * tiles + chosen[:, None]
    return logits_Qnc.flatten(0, 1).index_select(0, index_nk.flatten()).view(*index_nk.shape, -1)


def _interpolate(logits_nkc: Tensor, rows: Axis, columns: Axis, y: Tensor, x: Tensor) -> Tensor:
    """Return the logits of the pixels of n tiles: (k, n, TILE · TILE)."""
    tiles, count, _ = logits_nkc.shape
    values = logits_nkc.view(tiles, -1, columns.reach)
    wide = values @ columns.weights_tTK.index_select(0, x).transpose(1, 2)
    wide = wide.view(tiles, count, rows.reach, TILE)
    square = rows.weights_tTK.index_select(0, y)[:, None] @ wide
    return square.transpose(0, 1).flatten(2)


def _winners(values_knP: Tensor, owners_nk: Tensor) -> Tensor:
    """Return the owner of the largest value, the first of equals: (n, P) int16."""
    best, owners_kn1 = values_knP[0], owners_nk.T[:, :, None].float()
    winner = owners_kn1[0].expand_as(best)
    for value, owner in zip(values_knP[1:], owners_kn1[1:], strict=True):
        winner = replace_where_larger(winner, owner, value, best)
        best = torch.maximum(value, best)
    return winner.to(torch.int16)
