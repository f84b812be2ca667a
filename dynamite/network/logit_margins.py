"""Queries compete for pixels: those of an object together, and objects against each other."""

from collections.abc import Sequence

import torch
from torch import Tensor


def merge_queries(logits: Tensor, clicks: Sequence[int], dim: int = 0) -> Tensor:
    """Logits of each object and, last, of the background: the largest of its queries'.

    Args:
        logits: query logits in query order along ``dim`` (MODEL_SPEC 5): object 0's clicks, object
            1's, …, then the background's.
        clicks: how many clicks each object has; all further queries are background.
    """
    # Splitting once keeps the backward pass to one copy; indexing would make one per object.
    parts = torch.split(logits, [*clicks, logits.shape[dim] - sum(clicks)], dim=dim)
    merged = [one.amax(dim) if one.shape[dim] > 1 else one.select(dim, 0) for one in parts]
    return torch.stack(merged, dim=dim)


def margins(maps: Tensor, dim: int = 0) -> Tensor:
    """Each map less the largest other one, along ``dim``, which holds at least two.

    Above 0 where the map wins; 0 on all that share the first place.
    """
    # One after the other, since topk over any dimension but the last takes many times as long.
    first, *others = maps.unbind(dim)
    best, second = first, torch.full_like(first, -torch.inf)
    for one in others:
        second = torch.maximum(second, torch.minimum(best, one))
        best = torch.maximum(best, one)
    best, second = best.unsqueeze(dim), second.unsqueeze(dim)
    return maps - torch.where(maps >= best, second, best)


def replace_where_larger(old: Tensor, new: Tensor, value: Tensor, best: Tensor) -> Tensor:
    """``new`` where ``value`` exceeds ``best``, else ``old``, all float32 and exact.

    Arithmetic, because ``torch.where`` takes as long as twenty such operations on a CPU.
    """
    larger = torch.gt(value, best, out=torch.empty_like(best))
    return torch.lerp(old, new.expand_as(old), larger)
