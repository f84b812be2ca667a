"""Who is in front in each cell of an image's maps, and how surely."""

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from dynamite.network.logit_margins import replace_where_larger
from dynamite.network.prediction import Decision


@dataclass(frozen=True, slots=True)
class Lead:
    """Of each cell ``owner_hw`` int16, whose logit is the largest, −1 for the background;
    ``best_hw`` that logit, ``other_hw`` the largest that is not the owner's.
    """

    owner_hw: Tensor
    best_hw: Tensor
    other_hw: Tensor

    @classmethod
    def of(cls, decision: Decision, objects: int, inside: tuple[int, int]) -> "Lead":
        """In the first ``inside`` (rows, columns) of the maps: the others lie in the padding."""
        height, width = inside
        maps = decision.maps_Mhw[:, :height, :width].unbind()
        owners = decision.owners_M.tolist()
        best = torch.full_like(maps[0], -torch.inf)
        other, winner = best, torch.zeros_like(best)
        for index in range(-1, objects):
            mine = [one for one, owner in zip(maps, owners, strict=True) if owner == index]
            own = reduce(torch.maximum, mine)
            other = torch.maximum(other, torch.minimum(best, own))
            winner = replace_where_larger(winner, own.new_tensor(index + 1), own, best)
            best = torch.maximum(best, own)
        return cls(winner.short() - 1, best, other)

    def scores(self, objects: int) -> Tensor:
        """How sure the network is of each object: (N) in 0…1.

        The mean probability, against the best of the others, of the cells in which it leads; 0
        where there is none.
        """
        row = self.owner_hw.flatten().int() + 1
        sure = (self.best_hw - self.other_hw).sigmoid().flatten()
        total, cells = (row.bincount(each, minlength=objects + 1) for each in (sure, None))
        scores: Tensor = total / cells.clamp(min=1)
        return scores[1:]
