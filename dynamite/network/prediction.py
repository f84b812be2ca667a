"""What the network makes of clicks, and what of that decides whose a pixel is."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dynamite.network.enforce_clicks import LEAST, REACH, obey
from dynamite.network.logit_margins import merge_queries
from dynamite.network.queries import BACKGROUND, PackedClicks
from dynamite.network.refiner import FINER

STRIDE = 4
"""Of the mask features and the logits."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Logits of every query, before queries of the same object are merged.

    ``logits_BQhw`` are the final ones at stride 4; ``auxiliary`` those of the initial queries and
    after each encoder layer but the last, only where asked for; ``owners_BQ`` says which object a
    query speaks for, −1 for the background. ``refined`` is what a refiner makes of them, for each
    image the maps of its objects and, last, of the background (N + 1, h_2, w_2).
    """

    logits_BQhw: Tensor
    auxiliary: tuple[Tensor, ...]
    owners_BQ: Tensor
    refined: tuple[Tensor, ...] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whose a pixel of one image is: the owner of its largest logit.

    ``maps_Mhw`` float32, of queries at stride 4 or, from a refiner, of objects at stride 2;
    ``owners_M`` the object of each, in order, −1 for the background.
    """

    maps_Mhw: Tensor
    owners_M: Tensor

    def of_each_object(self) -> Tensor:
        """The maps of the objects and, last, of the background (N + 1, h, w)."""
        clicks = torch.bincount(self.owners_M + 1)[1:].tolist()
        return merge_queries(self.maps_Mhw, clicks)


def decide(prediction: Prediction, clicks: PackedClicks, *, obeyed: bool) -> list[Decision]:
    """For each image what decides whose a pixel is, with clicks obeyed if so wanted."""
    decisions = []
    undecided = zip(_undecided(prediction, clicks), clicks.times_BK, strict=True)
    for (decision, places_K2, own_K, reach), times_K in undecided:
        maps_Mhw, owners_M = decision.maps_Mhw, decision.owners_M
        if obeyed:
            said_K = times_K[: len(places_K2)]  # what follows is padding
            maps_Mhw = obey(maps_Mhw, places_K2, said_K, owners_M, own_K, reach)
        decisions.append(Decision(maps_Mhw, owners_M))
    return decisions


def _undecided(
    prediction: Prediction, clicks: PackedClicks
) -> Iterator[tuple[Decision, Tensor, Tensor, float]]:
    """Of each image the maps, the clicks in their cells, which map is each click's, the reach."""
    for index, (places_K2, owners_Q) in enumerate(
        zip(clicks.places(), prediction.owners_BQ, strict=True)
    ):
        if prediction.refined is None:
            own_K = torch.arange(len(places_K2), device=places_K2.device)
            queries = Decision(prediction.logits_BQhw[index].float(), owners_Q)
            yield queries, places_K2 / STRIDE, own_K, REACH
        else:
            maps_Nhw = prediction.refined[index]
            owners_N = torch.arange(len(maps_Nhw), device=maps_Nhw.device)
            owners_N[-1] = BACKGROUND
            owners_K = owners_Q[: len(places_K2)]
            own_K = torch.where(owners_K == BACKGROUND, len(maps_Nhw) - 1, owners_K)
            yield Decision(maps_Nhw, owners_N), places_K2 * (FINER / STRIDE), own_K, LEAST
