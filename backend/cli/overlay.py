"""Draws masks and clicks over an image."""

import numpy as np
import numpy.typing as npt

from dynamite.clicks import ClickSet
from dynamite.drawing import Pixels, color, mark_clicks, outline, tint


def overlay(image: Pixels, label_map: npt.NDArray[np.int16], clicks: ClickSet) -> Pixels:
    """Draw every object in its own color, clicks on it as dots, background clicks as black crosses.

    Args:
        image: uint8 H×W×3 RGB.
        label_map: H×W; the object at each pixel, -1 for background.
        clicks: In pixels of the image.

    Returns:
        A new uint8 H×W×3 RGB image.
    """
    drawn = image.copy()
    size = max(2, round(max(image.shape[:2]) / 320))
    objects = range(len(clicks.objects))
    for index in objects:
        tint(drawn, label_map == index, color(index))
    for index in objects:
        outline(drawn, label_map == index, color(index), size - 1)
    mark_clicks(drawn, clicks, radius=3 * size)
    return drawn
