"""What the network predicts from clicks, and the maps that decide who owns a pixel."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dynamite.network.enforce_clicks import MAX_RADIUS, MIN_RADIUS, enforce_clicks
from dynamite.network.logit_margins import merge_queries
from dynamite.network.queries import BACKGROUND, PackedClicks
from dynamite.network.refiner import UPSCALE

STRIDE = 4
"""Input pixels per cell of the mask features and the logits."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The logits of every query, before queries of the same object are merged.

    Attributes:
        logits_BQhw: final logits at stride 4.
        auxiliary: logits (B, Q, h, w) of the initial queries and after each encoder layer but the
            last; empty unless asked for.
        owners_BQ: object index of each query, −1 for the background.
        refined: from a refiner, for each image the maps of its objects and, last, of the background
            (N + 1, 2h, 2w); None without a refiner.
    """

    logits_BQhw: Tensor
    auxiliary: tuple[Tensor, ...]
    owners_BQ: Tensor
    refined: tuple[Tensor, ...] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The maps that decide who owns a pixel of one image: the owner of the largest logit.

    Attributes:
        maps_Mhw: float32 logits, of queries at stride 4 or, from a refiner, of objects at stride 2.
        owners_M: object index of each map, in ascending order, −1 for the background, last.
    """

    maps_Mhw: Tensor
    owners_M: Tensor

    def object_maps(self) -> Tensor:
        """Return the maps of the objects and, last, of the background (N + 1, h, w)."""
        clicks = torch.bincount(self.owners_M + 1)[1:].tolist()
        return merge_queries(self.maps_Mhw, clicks)


def decide(prediction: Prediction, clicks: PackedClicks, *, enforce: bool) -> list[Decision]:
    """Return the deciding maps of each image.

    Args:
        prediction: from ``DynaMITE.interact``.
        clicks: the clicks it answers.
        enforce: let the owner of each click win around it.
    """
    decisions = []
    per_image = zip(_maps_with_clicks(prediction, clicks), clicks.times_BK, strict=True)
    for (decision, coords_K2, own_map_K, max_radius), times_K in per_image:
        maps_Mhw, owners_M = decision.maps_Mhw, decision.owners_M
        if enforce:
            unpadded_K = times_K[: len(coords_K2)]
            maps_Mhw = enforce_clicks(
                maps_Mhw, coords_K2, unpadded_K, owners_M, own_map_K, max_radius
            )
        decisions.append(Decision(maps_Mhw, owners_M))
    return decisions


def _maps_with_clicks(
    prediction: Prediction, clicks: PackedClicks
) -> Iterator[tuple[Decision, Tensor, Tensor, float]]:
    """Yield, for each image, its maps, its clicks in cells, each click's own map, the radius."""
    for index, (coords_K2, owners_Q) in enumerate(
        zip(clicks.coords_per_image(), prediction.owners_BQ, strict=True)
    ):
        if prediction.refined is None:
            own_map_K = torch.arange(len(coords_K2), device=coords_K2.device)
            queries = Decision(prediction.logits_BQhw[index].float(), owners_Q)
            yield queries, coords_K2 / STRIDE, own_map_K, MAX_RADIUS
        else:
            maps_Nhw = prediction.refined[index]
            owners_N = torch.arange(len(maps_Nhw), device=maps_Nhw.device)
            owners_N[-1] = BACKGROUND
            owners_K = owners_Q[: len(coords_K2)]
            own_map_K = torch.where(owners_K == BACKGROUND, len(maps_Nhw) - 1, owners_K)
            refined = Decision(maps_Nhw, owners_N)
            yield refined, coords_K2 * (UPSCALE / STRIDE), own_map_K, MIN_RADIUS
