"""What was clicked is so: around each click the one it was made for wins.

A network may overrule a click. A person never means that: a click says at least what the pixels
under it are. Its own query is therefore raised above all others there; what is around them is the
refiner's to mend.
"""

import math

import torch
from torch import Tensor

REACH = 1.5
"""Cells of the stride-4 map: a click's pixel is mixed from the four cells nearer than this."""

MARGIN = 4.0
"""Logits above the best other query at the click itself, falling to 0 at ``REACH``."""


def obey(logits_Qhw: Tensor, places_K2: Tensor) -> Tensor:
    """Logits of one image with each click's own query in front around it.

    Args:
        logits_Qhw: at stride 4; the queries of the clicks come first.
        places_K2: (y, x) of the clicks in cells of the map. A cell near several belongs to the
            nearest, and of equally near ones to the first.
    """
    obeyed_Qhw = logits_Qhw.clone()
    click_M, y_M, x_M, distance_M = _near(places_K2, logits_Qhw.shape[1:])
    wanted_M = logits_Qhw[:, y_M, x_M].amax(dim=0) + MARGIN * (1 - distance_M / REACH)
    obeyed_Qhw[click_M, y_M, x_M] = torch.maximum(logits_Qhw[click_M, y_M, x_M], wanted_M)
    return obeyed_Qhw


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
