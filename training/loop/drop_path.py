"""Skipped blocks (drop path) drawn for each sample, so that it matters not which batch it is in.

timm draws for a batch at once from the process's generator: two processes would skip other blocks
than one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dynamite.network._compat import import_timm


class SampleDropPath(nn.Module):
    """timm's ``DropPath`` with a generator for each sample, set before every batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, branch: Tensor) -> Tensor:
        """The branch, zero for some samples of the batch, larger by as much for the others."""
        if not self.training:
            return branch
        drawn = [torch.rand((), generator=one) for one in self.generators]
        kept = (torch.stack(drawn) >= self.rate).to(branch) / (1 - self.rate)
        return branch * kept.view(-1, *[1] * (branch.ndim - 1))


def draw_by_sample(model: nn.Module) -> list[SampleDropPath]:
    """Put our drop path in the place of timm's, wherever the model has one; returns all of ours.

    A model that was trained before has ours already.
    """
    theirs = import_timm().layers.DropPath
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, theirs) and child.drop_prob:
                setattr(parent, name, SampleDropPath(child.drop_prob))
    return [module for module in model.modules() if isinstance(module, SampleDropPath)]
