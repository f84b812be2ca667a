"""By how much a map leads: what decides whose a pixel is."""

import torch
from torch import Tensor


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
