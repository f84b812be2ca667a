"""What was clicked is so: around each click the one it was made for wins.

A network may overrule a click. A person never means that: a click says at least what the pixels
under it are. Its own map, of its query or its object, is therefore raised above all others close to
it; how close, the size of what is clicked on says, or the correction of a small object would be
larger than its fault.
"""

import math

import torch
from torch import Tensor

REACH = 3.0
"""Cells, 12 pixels of the input at stride 4: about what a person can aim at. On a refiner's maps
``LEAST`` is better, 3 pixels: it mends what is around a click (docs/experiments.md)."""

LEAST = 1.5
"""Reach on the smallest objects: a click's pixel is mixed from the four cells nearer than this."""

SHARE = 0.15
"""Reach between these two, as a share of the object's size (the square root of its area)."""

MARGIN = 4.0
"""Logits above the best other map at the click itself, falling to 0 at the click's reach."""


def obey(
    maps_Mhw: Tensor,
    places_K2: Tensor,
    times_K: Tensor,
    owners_M: Tensor,
    own_K: Tensor,
    furthest: float = REACH,
) -> Tensor:
    """Logits of one image with each click's own map in front around it.

    Args:
        maps_Mhw: logits of queries or of objects.
        places_K2: (y, x) of the clicks in cells of the maps. A cell near several belongs to the
            nearest, and of equally near ones to the newest: who clicks on the same spot again,
            for another object, means the correction.
        times_K: when each was made.
        owners_M: the object of each map, −1 for the background.
        own_K: which map is each click's own.
        furthest: the reach on large objects, in cells, ``LEAST`` to ``REACH``.
    """
    obeyed_Mhw = maps_Mhw.clone()
    reach_K = reaches(maps_Mhw, places_K2, owners_M, own_K, furthest)
    click_L, y_L, x_L, distance_L = _near(places_K2, times_K, maps_Mhw.shape[1:])
    reached = distance_L < reach_K[click_L]
    click_L, y_L, x_L, distance_L = (values[reached] for values in (click_L, y_L, x_L, distance_L))
    wanted_L = maps_Mhw[:, y_L, x_L].amax(dim=0) + MARGIN * (1 - distance_L / reach_K[click_L])
    own_L = own_K[click_L]
    obeyed_Mhw[own_L, y_L, x_L] = torch.maximum(maps_Mhw[own_L, y_L, x_L], wanted_L)
    return obeyed_Mhw


def reaches(
    maps_Mhw: Tensor, places_K2: Tensor, owners_M: Tensor, own_K: Tensor, furthest: float = REACH
) -> Tensor:
    """How far each click is obeyed, in cells: (K).

    By the size that the network gives to the click's object or to the one that lies under the
    click, whichever is smaller.
    """
    if furthest <= LEAST:
        return torch.full_like(places_K2[:, 0], LEAST)
    owner_hw = owners_M[maps_Mhw.max(dim=0).indices]
    area_N = torch.bincount(owner_hw.flatten() + 1, minlength=int(owners_M.max()) + 2).float()
    area_N[0] = torch.inf  # the background has no size
    height, width = owner_hw.shape
    y_K, x_K = places_K2.floor().long().unbind(1)
    under_K = owner_hw[y_K.clamp(0, height - 1), x_K.clamp(0, width - 1)]
    smaller_K = torch.minimum(area_N[owners_M[own_K] + 1], area_N[under_K + 1])
    return (SHARE * smaller_K.sqrt()).clamp(LEAST, furthest)


def _near(
    places_K2: Tensor, times_K: Tensor, size: torch.Size
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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
    click_L, row_L, column_L = reached.nonzero().unbind(-1)
    y_L, x_L, distance_L = y_KW[click_L, row_L], x_KW[click_L, column_L], distance_KWW[reached]

    # Of the clicks that reach the same cell the nearest has it, of equals the newest.
    order_K = torch.empty_like(times_K, dtype=torch.long)
    order_K[times_K.argsort(stable=True)] = torch.arange(len(times_K), device=device)
    cell_L = y_L * width + x_L
    nearest = distance_L.new_full((height * width,), torch.inf)
    nearest = nearest.scatter_reduce(0, cell_L, distance_L, "amin")
    closest = (distance_L == nearest[cell_L]).nonzero()[:, 0]
    newest = order_K.new_full((height * width,), -1)
    newest = newest.scatter_reduce(0, cell_L[closest], order_K[click_L[closest]], "amax")
    mine = closest[order_K[click_L[closest]] == newest[cell_L[closest]]]
    return click_L[mine], y_L[mine], x_L[mine], distance_L[mine]
