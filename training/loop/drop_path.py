"""Drop path with a generator per sample, so that the result does not depend on the batch.

timm draws for the whole batch from the process's generator, so two processes would skip other
blocks than one process.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dynamite.network._compat import import_timm


class SampleDropPath(nn.Module):
    """timm's ``DropPath`` with one generator per sample; set ``generators`` before every batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, branch: Tensor) -> Tensor:
        """Zero the branch for some samples of the batch and scale it up for the others."""
        if not self.training:
            return branch
        drawn = [torch.rand((), generator=one) for one in self.generators]
        kept = (torch.stack(drawn) >= self.rate).to(branch) / (1 - self.rate)
        return branch * kept.view(-1, *[1] * (branch.ndim - 1))


def draw_by_sample(model: nn.Module) -> list[SampleDropPath]:
    """Replace every drop path of timm in the model by ours; return all of ours.

    A model that was trained before already has ours.
    """
    theirs = import_timm().layers.DropPath
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, theirs) and child.drop_prob:
                setattr(parent, name, SampleDropPath(child.drop_prob))
    return [module for module in model.modules() if isinstance(module, SampleDropPath)]
