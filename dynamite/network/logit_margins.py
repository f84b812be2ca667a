"""Competition for pixels: queries merged into objects, and objects against each other."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def merge_queries(logits: Tensor, clicks: Sequence[int], dim: int = 0) -> Tensor:
    """Return one map per object and, last, one for the background: the maximum over its queries.

    Args:
        logits: query logits in query order along ``dim`` (docs/network.md, 5): the clicks of
            object 0, of object 1, …, then those of the background.
        clicks: number of clicks of each object; all further queries are background.
        dim: the dimension of the queries.
    """
    # Splitting once keeps the backward pass to one copy; indexing would make one per object.
    groups = torch.split(logits, [*clicks, logits.shape[dim] - sum(clicks)], dim=dim)
    merged = [one.amax(dim) if one.shape[dim] > 1 else one.select(dim, 0) for one in groups]
    return torch.stack(merged, dim=dim)


def logit_margins(maps: Tensor, dim: int = 0) -> Tensor:
    """Return each map minus the largest of the others along ``dim``, which needs two maps or more.

    A margin is above 0 where its map wins, and 0 on all maps that share the maximum.
    """
    best, second = (one.unsqueeze(dim) for one in best_two(maps.unbind(dim)))
    return maps - best_other(maps, best, second)


def best_two(maps: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the largest of two maps or more, and the second largest, −∞ if there is one only."""
    # One map after the other: topk over any dimension but the last is many times slower.
    best, *others = maps
    second = torch.full_like(best, -torch.inf)
    for one in others:
        second = torch.maximum(second, torch.minimum(best, one))
        best = torch.maximum(best, one)
    return best, second


def best_other(maps: Tensor, best: Tensor, second: Tensor) -> Tensor:
    """Return the largest of the other maps, from the ``best_two`` of all."""
    return torch.where(maps >= best, second, best)


def first_largest(maps: Iterable[Tensor]) -> Tensor:
    """Return which of the maps is the largest, the first of equals: float32 indices from 0.

    Written as arithmetic in place, without gradients: on a CPU, ``max`` with indices takes seven
    times as long.
    """
    first, *others = maps
    best, index, larger = first.detach().clone(), torch.zeros_like(first), torch.empty_like(first)
    for number, one in enumerate(others, 1):
        torch.gt(one, best, out=larger)
        torch.maximum(index, larger.mul_(number), out=index)  # indices ascend
        torch.maximum(best, one, out=best)
    return index


def replace_where_larger(old: Tensor, new: Tensor, value: Tensor, best: Tensor) -> Tensor:
    """Return ``new`` where ``value`` exceeds ``best``, else ``old``; all float32, and exact.

    Written as arithmetic: on a CPU, ``torch.where`` takes as long as twenty such operations.
    """
    larger = torch.gt(value, best, out=torch.empty_like(best))
    return torch.lerp(old, new.expand_as(old), larger)
