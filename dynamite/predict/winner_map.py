"""Who wins each cell of an image's maps, and how clearly."""

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from dynamite.network.logit_margins import replace_where_larger
from dynamite.network.prediction import Decision


@dataclass(frozen=True, slots=True)
class WinnerMap:
    """The winner of each cell.

    Attributes:
        owner_hw: int16 object index of the largest logit, −1 for the background.
        best_hw: that logit.
        runner_up_hw: the largest logit of any other owner.
    """

    owner_hw: Tensor
    best_hw: Tensor
    runner_up_hw: Tensor

    @classmethod
    def from_decision(
        cls, decision: Decision, objects: int, inside: tuple[int, int]
    ) -> "WinnerMap":
        """Return the winners in the maps of one image.

        Args:
            decision: the maps.
            objects: number of objects.
            inside: (rows, columns) of the maps that are image; the rest is padding and is left out.
        """
        height, width = inside
        maps = decision.maps_Mhw[:, :height, :width].unbind()
        owners = decision.owners_M.tolist()
        best = torch.full_like(maps[0], -torch.inf)
        runner_up, winner = best, torch.zeros_like(best)
        for index in range(-1, objects):
            of_owner = [one for one, owner in zip(maps, owners, strict=True) if owner == index]
            own = reduce(torch.maximum, of_owner)
            runner_up = torch.maximum(runner_up, torch.minimum(best, own))
            winner = replace_where_larger(winner, own.new_tensor(index + 1), own, best)
            best = torch.maximum(best, own)
        return cls(winner.short() - 1, best, runner_up)

    def scores(self, objects: int) -> Tensor:
        """Return how sure the network is of each object: (N) float32 in 0…1.

        The mean over the cells the object wins of its probability against the runner-up; 0 for an
        object that wins none.
        """
        row = self.owner_hw.flatten().int() + 1
        certainty = (self.best_hw - self.runner_up_hw).sigmoid().flatten()
        total, cells = (row.bincount(each, minlength=objects + 1) for each in (certainty, None))
        scores: Tensor = total / cells.clamp(min=1)
        return scores[1:]
