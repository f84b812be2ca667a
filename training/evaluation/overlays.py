"""Draws an answer over its image, with the target contours and the clicks."""

import cv2
import numpy as np

from dynamite import ClickSet
from dynamite.drawing import BLACK, color, mark_clicks, outline, tint
from training.click_simulation import LabelMap
from training.distance_map import Mask
from training.evaluation.segmenter import Image

SIDE = 900
"""Smaller images are enlarged to this longer side, so that contours and dots stay fine."""

_DOT, _LINE = 5, 2
"""Radius of a click and width of a contour, in pixels."""

_BAND = 26
"""Height of the caption in pixels."""


def overlay(
    image: Image,
    target_HW: LabelMap,
    answer_HW: LabelMap,
    clicks: ClickSet,
    *,
    ignore: Mask | None = None,
    caption: str = "",
) -> Image:
    """Tint the answered masks, outline the targets and mark the clicks.

    An object's mask, contour and clicks share a color. Background clicks are black crosses, ignored
    pixels are hatched, and ``caption`` goes into a band on top.

    Returns:
        The picture, uint8 RGB.
    """
    scale = max(1.0, SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    picture = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    answer = cv2.resize(answer_HW.astype(np.int16), size, interpolation=cv2.INTER_NEAREST_EXACT)
    target = cv2.resize(target_HW.astype(np.int16), size, interpolation=cv2.INTER_NEAREST_EXACT)
    if ignore is not None:
        ys, xs = np.nonzero(
            cv2.resize(ignore.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        )
        striped = (ys + xs) % 10 < 2
        picture[ys[striped], xs[striped]] = 160
    for index in range(len(clicks.objects)):
        tint(picture, answer == index, color(index))
    for index in range(len(clicks.objects)):
        outline(picture, target == index, color(index), _LINE)
    mark_clicks(picture, clicks, radius=_DOT, scale=scale)
    if caption:
        band = np.full((_BAND, picture.shape[1], 3), 255, np.uint8)
        picture = np.concatenate([band, picture])
        cv2.putText(
            picture, caption, (6, _BAND - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, BLACK, 1, cv2.LINE_AA
        )
    return picture
