"""Moves the borders of masks to edges of the image nearby (docs/network.md, 8).

A guided filter (He et al., ECCV 2010) fits a mask, in every window, by a linear function of the
image's gray, so that it changes where the image does. Where the gray hardly varies, all it does is
to blur, which wears small and thin objects away. So only the difference to the blur alone is used:
what the edges say. It is added to the logits, so a sure cell far from an edge stays as it is.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dynamite.clicks import ClickSet
from dynamite.network.queries import BACKGROUND
from dynamite.network.refiner_boxes import Box
from dynamite.predict.boxes import object_boxes, widened
from dynamite.predict.drawing import Drawing

LabelMap = NDArray[np.int16]
Map = NDArray[np.float32]

RADIUS = 3
"""Cells from the middle of a window to its edge: borders move by a little more at most."""

CONTRAST = 1e-3
"""Variance of the gray, 0…1, at which a mask follows it by half."""

GAIN = 8.0
"""Logits that a map gains where the edges say that a cell is wholly its own, or loses."""


def follow_edges(drawing: Drawing, clicks: ClickSet, guide_hw: Tensor) -> None:
    """Move the borders of a drawing to edges, in place. Clicked cells keep their logits.

    Args:
        drawing: of one image.
        clicks: in cells of its maps.
        guide_hw: gray of the cells, 0…1, padding included.
    """
    drawing.add(_changes(drawing.owner_hw, clicks, guide_hw))


def _changes(
    owner_hw: LabelMap, clicks: ClickSet, guide_hw: Tensor
) -> Iterator[tuple[int, Box, Map]]:
    """Yield what each object gains near its border, and the background, which loses as much."""
    size = height, width = owner_hw.shape
    gray_hw = guide_hw[:height, :width].cpu().numpy()
    apart_hw = _apart_from_clicks(clicks, size)
    background_hw = np.zeros(size, np.float32)
    for index, box in object_boxes(owner_hw, len(clicks.objects)):
        wide = widened(box, 2 * RADIUS, size)
        mask_hw = (owner_hw[wide] == index).astype(np.float32)
        change_hw = GAIN * apart_hw[wide] * edge_change(gray_hw[wide], mask_hw)
        background_hw[wide] -= change_hw
        yield index, wide, change_hw
    yield BACKGROUND, (slice(0, height), slice(0, width)), background_hw


def edge_change(gray_hw: Map, mask_hw: Map) -> Map:
    """Return by how much the edges of the gray, 0…1, raise each cell of the mask, −1…1."""
    side = 2 * RADIUS + 1

    def mean(map_hw: NDArray[np.floating]) -> Map:
        return cv2.blur(map_hw, (side, side))  # type: ignore[return-value]

    gray_mean, mask_mean = mean(gray_hw), mean(mask_hw)
    variance = mean(gray_hw * gray_hw) - gray_mean * gray_mean
    slope = (mean(gray_hw * mask_hw) - gray_mean * mask_mean) / (variance + CONTRAST)
    # The filter less the blur: mean(slope) · gray + mean(mask_mean − slope · gray_mean) − blur.
    change_hw = mean(slope) * gray_hw - mean(slope * gray_mean)
    return cv2.blur(change_hw, (3, 3))  # type: ignore[return-value]  # or texture leaves specks


def _apart_from_clicks(clicks: ClickSet, size: tuple[int, int]) -> Map:
    """Return 0 in the cells from which a clicked pixel is interpolated, and 1 elsewhere."""
    apart_hw = np.ones(size, np.float32)
    for click in clicks:
        y, x = int(click.y), int(click.x)
        apart_hw[widened((slice(y, y + 1), slice(x, x + 1)), 1, size)] = 0
    return apart_hw
