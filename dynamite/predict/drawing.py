"""The drawing of one answer: the deciding maps and who wins each of their cells.

The steps after the network change it in place, one after the other (docs/network.md, 8). A copy for
each would cost more than most of them.
"""

from collections.abc import Iterable, Iterator
from functools import reduce

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynamite.network.logit_margins import best_two, first_largest
from dynamite.network.prediction import Decision
from dynamite.network.queries import BACKGROUND
from dynamite.network.refiner_boxes import Box
from dynamite.predict.boxes import widened

LabelMap = NDArray[np.int16]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

_NEVER = -1e4
"""A logit so low that it loses even where maps are interpolated between two cells."""


class Drawing:
    """Maps of which the largest wins a cell, and the winners.

    Args:
        decision: of one image; it is copied.
        inside: (rows, columns) of the maps that are image; the rest is padding, which nobody wins.

    Attributes:
        maps_Mhw: float32 logits, padding included.
        owners_M: object index of each map, −1 for the background.
        objects: number of objects.
        owner_hw: int16 object index of the largest logit of each cell inside, −1 for the
            background, also where that is as large as an object's.
    """

    def __init__(self, decision: Decision, inside: tuple[int, int]) -> None:
        self.maps_Mhw, self.owners_M = decision.maps_Mhw.clone(), decision.owners_M
        self._maps: dict[int, list[Tensor]] = {}
        for owner, map_hw in zip(self.owners_M.tolist(), self.maps_Mhw, strict=True):
            self._maps.setdefault(owner, []).append(map_hw)
        self.objects = len(self._maps) - 1
        self._inside = slice(0, inside[0]), slice(0, inside[1])
        self.owner_hw = self._winners()

    def largest(self, owner: int, box: Box) -> Tensor:
        """Return the largest logit of an owner's maps in each cell of a box."""
        return reduce(torch.maximum, (map_hw[box] for map_hw in self._maps[owner]))

    def certainty(self) -> Tensor:
        """Return the probability of each cell's winner against the runner-up, 0…1."""
        best_hw, runner_up_hw = best_two(self._largest_of_each())
        return (best_hw - runner_up_hw).sigmoid_()

    def scores(self, certainty_hw: Tensor) -> Tensor:
        """Return the mean certainty of the cells that each object wins, 0 if it wins none: (N)."""
        row = torch.from_numpy(self.owner_hw).to(certainty_hw.device).flatten().int() + 1
        total, cells = (
            row.bincount(each, minlength=self.objects + 1)
            for each in (certainty_hw.flatten(), None)
        )
        scores: Tensor = total / cells.clamp(min=1)
        return scores[1:]

    def add(self, changes: Iterable[tuple[int, Box, Map]]) -> None:
        """Add logits to all maps of owners, in boxes, and let the largest win again."""
        for owner, box, change_hw in changes:
            change = torch.from_numpy(change_hw).to(self.maps_Mhw.device)
            for map_hw in self._maps[owner]:
                map_hw[box].add_(change)
        self.owner_hw = self._winners()

    def hand_over(self, owner: int, heir: int, box: Box, cells_hw: Mask) -> None:
        """Give cells that an owner wins to an heir, so that a label map of any size shows it.

        The first map of the heir gets the owner's logits, in the neighboring cells, too. Otherwise
        a third map could win where the maps are interpolated between two cells.

        Args:
            owner: who wins the cells.
            heir: who gets them.
            box: around the cells.
            cells_hw: which cells of the box.
        """
        self.owner_hw[box][cells_hw] = heir
        own, heir_hw = self._maps[owner], self._maps[heir][0]
        window = widened(box, 1, heir_hw.shape)
        given_hw = np.zeros([cells.stop - cells.start for cells in window], np.uint8)
        rows, columns = (
            slice(inner.start - outer.start, inner.stop - outer.start)
            for inner, outer in zip(box, window, strict=True)
        )
        given_hw[rows, columns] = cells_hw
        around_hw = cv2.dilate(given_hw, np.ones((3, 3), np.uint8))
        given, around = (
            torch.from_numpy(part_hw.view(np.bool_)).to(heir_hw.device)
            for part_hw in (given_hw, around_hw)
        )
        inherited = torch.maximum(self.largest(owner, window), self.largest(heir, window))
        heir_hw[window].copy_(torch.where(around, inherited, heir_hw[window]))
        for one in own:
            one[window].masked_fill_(given, _NEVER)

    def _largest_of_each(self) -> Iterator[Tensor]:
        """Yield the largest logit inside of the background and of each object."""
        for owner in range(BACKGROUND, self.objects):
            yield self.largest(owner, self._inside)

    def _winners(self) -> LabelMap:
        winner_hw = first_largest(self._largest_of_each())
        return (winner_hw.short() + BACKGROUND).cpu().numpy()
