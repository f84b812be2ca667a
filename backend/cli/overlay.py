"""The picture of an answer: every object in its own color, and where the clicks were."""

import numpy as np
import numpy.typing as npt

from dynamite.clicks import ClickSet
from dynamite.drawing import Pixels, color, mark_clicks, outline, tint


def overlay(image: Pixels, label_map: npt.NDArray[np.int16], clicks: ClickSet) -> Pixels:
    """The picture (H×W×3 RGB) with every object of ``label_map`` in its own color.

    Clicks on objects are dots in the object's color; clicks on the background are black crosses.
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
