"""What was clicked is so: around each click the one it was made for wins.

A network may overrule a click. A person never means that: a click says at least what the pixels
under it are. Its own query is therefore raised above all others close to it; how close, the size
of what is clicked on says, or the correction of a small object would be larger than its fault.
"""

import math

import torch
from torch import Tensor

REACH = 3.0
"""Cells of the stride-4 map, 12 pixels of the input: about what a person can aim at. Where a
refiner mends what is around a click, ``LEAST`` is better (docs/training-lite.md)."""

LEAST = 1.5
"""Reach on the smallest objects: a click's pixel is mixed from the four cells nearer than this."""

SHARE = 0.15
"""Reach between these two, as a share of the object's size (the square root of its area)."""

MARGIN = 4.0
"""Logits above the best other query at the click itself, falling to 0 at the click's reach."""


def obey(
    logits_Qhw: Tensor, places_K2: Tensor, owners_Q: Tensor, furthest: float = REACH
) -> Tensor:
    """Logits of one image with each click's own query in front around it.

    Args:
        logits_Qhw: at stride 4; the queries of the clicks come first.
        places_K2: (y, x) of the clicks in cells of the map. A cell near several belongs to the
            nearest, and of equally near ones to the first.
        owners_Q: the object of each query, −1 for the background.
        furthest: the reach on large objects, in cells, ``LEAST`` to ``REACH``.
    """
    obeyed_Qhw = logits_Qhw.clone()
    reach_K = reaches(logits_Qhw, places_K2, owners_Q).clamp(max=furthest)
    click_M, y_M, x_M, distance_M = _near(places_K2, logits_Qhw.shape[1:])
    reached = distance_M < reach_K[click_M]
    click_M, y_M, x_M, distance_M = (values[reached] for values in (click_M, y_M, x_M, distance_M))
    wanted_M = logits_Qhw[:, y_M, x_M].amax(dim=0) + MARGIN * (1 - distance_M / reach_K[click_M])
    obeyed_Qhw[click_M, y_M, x_M] = torch.maximum(logits_Qhw[click_M, y_M, x_M], wanted_M)
    return obeyed_Qhw


def reaches(logits_Qhw: Tensor, places_K2: Tensor, owners_Q: Tensor) -> Tensor:
    """How far each click is obeyed, in cells: (K).

    By the size that the network gives to the click's object or to the one that lies under the
    click, whichever is smaller.
    """
    owner_hw = owners_Q[logits_Qhw.max(dim=0).indices]
    area_N = torch.bincount(owner_hw.flatten() + 1, minlength=int(owners_Q.max()) + 2).float()
    area_N[0] = torch.inf  # the background has no size
    height, width = owner_hw.shape
    y_K, x_K = places_K2.floor().long().unbind(1)
    under_K = owner_hw[y_K.clamp(0, height - 1), x_K.clamp(0, width - 1)]
    smaller_K = torch.minimum(area_N[owners_Q[: len(places_K2)] + 1], area_N[under_K + 1])
    return (SHARE * smaller_K.sqrt()).clamp(LEAST, REACH)


def _near(places_K2: Tensor, size: torch.Size) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each cell within ``REACH`` of a click, once: its nearest click, y, x, and the distance."""
    height, width = size
    device = places_K2.device
    aside_W = torch.arange(-math.ceil(REACH), math.ceil(REACH) + 1, device=device)
    y_KW, x_KW = (places_K2.floor().long()[..., None] + aside_W).unbind(1)
    down_KW = (y_KW + 0.5 - places_K2[:, :1]).square()
    across_KW = (x_KW + 0.5 - places_K2[:, 1:]).square()
    distance_KWW = (down_KW[:, :, None] + across_KW[:, None]).sqrt()
    inside_KW = (y_KW >= 0) & (y_KW < height), (x_KW >= 0) & (x_KW < width)
    reached = (distance_KWW < REACH) & inside_KW[0][:, :, None] & inside_KW[1][:, None]
    click_M, row_M, column_M = reached.nonzero().unbind(-1)
    y_M, x_M, distance_M = y_KW[click_M, row_M], x_KW[click_M, column_M], distance_KWW[reached]

    # Of the clicks that reach the same cell the nearest has it, of equals the first.
    cell_M = y_M * width + x_M
    nearest = distance_M.new_full((height * width,), torch.inf)
    nearest = nearest.scatter_reduce(0, cell_M, distance_M, "amin")
    closest = (distance_M == nearest[cell_M]).nonzero()[:, 0]
    first = click_M.new_full((height * width,), len(places_K2))
    first = first.scatter_reduce(0, cell_M[closest], click_M[closest], "amin")
    mine = closest[click_M[closest] == first[cell_M[closest]]]
    return click_M[mine], y_M[mine], x_M[mine], distance_M[mine]
