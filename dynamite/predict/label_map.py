"""From coarse logits to a label map of any size, mostly tile by tile (docs/network.md, 7).

By definition, every query's logits are resized to the padded input, cropped, resized to the output,
and the largest wins. Both resizings are bilinear, so an output value is a convex combination of the
few logits around it. In a small tile of the output, a query whose largest logit is below another's
smallest cannot win. Most tiles have one possible owner and are filled at once. Only the others,
along the borders between objects, are interpolated, and only for their candidates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from dynamite.network.logit_margins import replace_where_larger

TILE = 16
"""Output pixels on a side of a tile: few tiles this small touch a border."""

_ABOVE_OWNERS = 32766
"""Above every object index; with one more, the arithmetic around −1 would overflow 16 bits."""

_MAX_VALUES = 1 << 22
"""Interpolated values held at once: 16 MB in float32."""


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

    candidates_Qyx = _candidates(logits_Qhw, rows, columns)
    lowest, highest = _owner_range(candidates_Qyx, owners)
    tiles_tTT = lowest.view(-1, 1, 1).repeat(1, TILE, TILE)
    mixed = (lowest != highest).flatten().nonzero()[:, 0]
    pairs = candidates_Qyx.flatten(1).T.contiguous().index_select(0, mixed)
    for chosen, limit in _group_by_count(pairs.sum(dim=1)):
        for chunk in chosen.split(max(1, _MAX_VALUES // (limit * TILE * TILE))):
            queries, tile = _candidates_first(pairs[chunk], limit), mixed[chunk]
            y, x = tile // lowest.shape[1], tile % lowest.shape[1]
            values = _interpolate(logits_Qhw, queries, rows, columns, y, x)
            winners = _winners(values, owners[queries])
            tiles_tTT.index_copy_(0, tile, winners.unflatten(1, (TILE, TILE)))
    whole = tiles_tTT.view(*lowest.shape, TILE, TILE).transpose(1, 2).flatten(2).flatten(0, 1)
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
    def cells_tK(self) -> Tensor:
        """Indices of the cells each tile depends on: (tiles, K)."""
        return self.start_t[:, None] + torch.arange(
            self.weights_tTK.shape[2], device=self.start_t.device
        )


def _bilinear(source: int, target: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return lower and upper source index of each target pixel, and the upper one's weight."""
    position = (torch.arange(target, dtype=torch.float64) + 0.5) * (source / target) - 0.5
    position = position.clamp(min=0)
    lower = position.floor().long().clamp(max=source - 1)
    return lower, (lower + 1).clamp(max=source - 1), position - lower


def _candidates(logits_Qhw: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """Return which queries can win a pixel of each tile: (Q, tiles, tiles) boolean."""
    low_Qyw, high_Qyw = _range(logits_Qhw, logits_Qhw, rows)
    # Transposed, because ``index_select`` is fast on whole rows of memory.
    low_Qwy, high_Qwy = (side.transpose(1, 2).contiguous() for side in (low_Qyw, high_Qyw))
    low_Qxy, high_Qxy = _range(low_Qwy, high_Qwy, columns)
    return (high_Qxy >= low_Qxy.amax(dim=0)).transpose(1, 2).contiguous()


def _range(low_Qhw: Tensor, high_Qhw: Tensor, axis: Axis) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest logit each tile along the second dimension depends on."""
    first, *others = axis.cells_tK.unbind(1)
    low, high = low_Qhw.index_select(1, first), high_Qhw.index_select(1, first)
    for cells in others:
        part = low_Qhw.index_select(1, cells)
        torch.minimum(low, part, out=low)
        part = part if high_Qhw is low_Qhw else high_Qhw.index_select(1, cells)
        torch.maximum(high, part, out=high)
    return low, high


def _owner_range(candidates_Qyx: Tensor, owners_Q: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest owner among the candidates of each tile."""
    is_candidate = candidates_Qyx.to(owners_Q.dtype)
    owners = owners_Q[:, None, None]
    lowest = _ABOVE_OWNERS - (is_candidate * (_ABOVE_OWNERS - owners)).amax(dim=0)
    return lowest, (is_candidate * (owners + 2)).amax(dim=0) - 2


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


def _interpolate(
    logits_Qhw: Tensor, queries_nk: Tensor, rows: Axis, columns: Axis, y: Tensor, x: Tensor
) -> Tensor:
    """Return the logits of n tiles for their k candidates: (k, n, TILE · TILE)."""
    (tiles, count), (_, height, width) = queries_nk.shape, logits_Qhw.shape
    down = rows.cells_tK.index_select(0, y)[:, :, None, None] * width
    across = columns.cells_tK.index_select(0, x)[:, None, None, :]
    cells = down + across + (queries_nk * (height * width))[:, None, :, None]
    values = logits_Qhw.flatten().index_select(0, cells.flatten()).view(tiles, -1, cells.shape[3])
    wide = values @ columns.weights_tTK.index_select(0, x).transpose(1, 2)
    square = rows.weights_tTK.index_select(0, y) @ wide.view(tiles, cells.shape[1], count * TILE)
    return square.view(tiles, TILE, count, TILE).permute(2, 0, 1, 3).flatten(2)


def _winners(values_knP: Tensor, owners_nk: Tensor) -> Tensor:
    """Return the owner of the largest value, the first of equals: (n, P) int16."""
    best, owners_kn1 = values_knP[0], owners_nk.T[:, :, None].float()
    winner = owners_kn1[0].expand_as(best)
    for value, owner in zip(values_knP[1:], owners_kn1[1:], strict=True):
        winner = replace_where_larger(winner, owner, value, best)
        best = torch.maximum(value, best)
    return winner.to(torch.int16)
