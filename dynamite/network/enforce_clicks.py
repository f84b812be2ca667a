"""Click enforcement: around each click, the map of the click's owner wins (docs/network.md, 8).

A network may overrule a click. A user never means that: a click states at least what the pixels
under it belong to. So the click's own map, of its query or its object, is raised above all others
within a radius. The radius grows with the size of the clicked object: a fixed one would change
more of a small object than was wrong.
"""

import math

import torch
from torch import Tensor

MAX_RADIUS = 3.0
"""Radius in cells on large objects: 12 input pixels at stride 4, about how well people aim. On the
refiner's maps ``MIN_RADIUS`` is better, 3 pixels: the refiner corrects the area around a click
itself (docs/experiments.md)."""

MIN_RADIUS = 1.5
"""Radius in cells on the smallest objects. A click's pixel is interpolated from four cells, all of
them nearer than this."""

RADIUS_PER_SIZE = 0.15
"""Radius between the two, as a share of the object's size (the square root of its area)."""

CLICK_MARGIN = 4.0
"""Logits above the best other map at the click itself; falls linearly to 0 at the radius."""


def enforce_clicks(
    maps_Mhw: Tensor,
    coords_K2: Tensor,
    times_K: Tensor,
    owners_M: Tensor,
    own_map_K: Tensor,
    max_radius: float = MAX_RADIUS,
) -> Tensor:
    """Return the logits of one image, with each click's own map the largest around the click.

    A cell within reach of several clicks goes to the nearest, and among equally near ones to the
    newest: a second click on the same spot, for another object, is a correction.

    Args:
        maps_Mhw: logits of queries or of objects.
        coords_K2: (y, x) of the clicks in cells of the maps.
        times_K: time stamp of each click.
        owners_M: object index of each map, −1 for the background.
        own_map_K: index of each click's own map.
        max_radius: radius on large objects, in cells, ``MIN_RADIUS`` to ``MAX_RADIUS``.
    """
    enforced_Mhw = maps_Mhw.clone()
    radii_K = enforcement_radii(maps_Mhw, coords_K2, owners_M, own_map_K, max_radius)
    click_L, y_L, x_L, distance_L = _cells_near_clicks(coords_K2, times_K, maps_Mhw.shape[1:])
    inside = distance_L < radii_K[click_L]
    click_L, y_L, x_L, distance_L = (values[inside] for values in (click_L, y_L, x_L, distance_L))
    margin_L = CLICK_MARGIN * (1 - distance_L / radii_K[click_L])
    wanted_L = maps_Mhw[:, y_L, x_L].amax(dim=0) + margin_L
    own_L = own_map_K[click_L]
    enforced_Mhw[own_L, y_L, x_L] = torch.maximum(maps_Mhw[own_L, y_L, x_L], wanted_L)
    return enforced_Mhw


def enforcement_radii(
    maps_Mhw: Tensor,
    coords_K2: Tensor,
    owners_M: Tensor,
    own_map_K: Tensor,
    max_radius: float = MAX_RADIUS,
) -> Tensor:
    """Return the radius within which each click is enforced, in cells: (K).

    It follows the predicted size of the click's object, or of the object under the click if that
    is smaller. The arguments are those of ``enforce_clicks``.
    """
    if max_radius <= MIN_RADIUS:
        return torch.full_like(coords_K2[:, 0], MIN_RADIUS)
    owner_hw = owners_M[maps_Mhw.max(dim=0).indices]
    area_N = torch.bincount(owner_hw.flatten() + 1, minlength=int(owners_M.max()) + 2).float()
    area_N[0] = torch.inf  # the background does not limit a radius
    height, width = owner_hw.shape
    y_K, x_K = coords_K2.floor().long().unbind(1)
    under_K = owner_hw[y_K.clamp(0, height - 1), x_K.clamp(0, width - 1)]
    smaller_K = torch.minimum(area_N[owners_M[own_map_K] + 1], area_N[under_K + 1])
    return (RADIUS_PER_SIZE * smaller_K.sqrt()).clamp(MIN_RADIUS, max_radius)


def _cells_near_clicks(
    coords_K2: Tensor, times_K: Tensor, size: torch.Size
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return each cell within ``MAX_RADIUS`` of a click once: its click, y, x and the distance."""
    height, width = size
    device = coords_K2.device
    offsets_W = torch.arange(-math.ceil(MAX_RADIUS), math.ceil(MAX_RADIUS) + 1, device=device)
    y_KW, x_KW = (coords_K2.floor().long()[..., None] + offsets_W).unbind(1)
    down_KW = (y_KW + 0.5 - coords_K2[:, :1]).square()
    across_KW = (x_KW + 0.5 - coords_K2[:, 1:]).square()
    distance_KWW = (down_KW[:, :, None] + across_KW[:, None]).sqrt()
    inside_KW = (y_KW >= 0) & (y_KW < height), (x_KW >= 0) & (x_KW < width)
    near = (distance_KWW < MAX_RADIUS) & inside_KW[0][:, :, None] & inside_KW[1][:, None]
    click_L, row_L, column_L = near.nonzero().unbind(-1)
    y_L, x_L, distance_L = y_KW[click_L, row_L], x_KW[click_L, column_L], distance_KWW[near]

    # A cell near several clicks belongs to the nearest; among equals, to the newest.
    order_K = torch.empty_like(times_K, dtype=torch.long)
    order_K[times_K.argsort(stable=True)] = torch.arange(len(times_K), device=device)
    cell_L = y_L * width + x_L
    nearest = distance_L.new_full((height * width,), torch.inf)
    nearest = nearest.scatter_reduce(0, cell_L, distance_L, "amin")
    closest = (distance_L == nearest[cell_L]).nonzero()[:, 0]
    newest = order_K.new_full((height * width,), -1)
    newest = newest.scatter_reduce(0, cell_L[closest], order_K[click_L[closest]], "amax")
    kept = closest[order_K[click_L[closest]] == newest[cell_L[closest]]]
    return click_L[kept], y_L[kept], x_L[kept], distance_L[kept]
