"""An answer laid over its image: what was wanted, what came out, and where the clicks were."""

import colorsys

import cv2
import numpy as np

from dynamite import Click, ClickSet
from training.click_simulation import LabelMap
from training.distance_map import Mask
from training.evaluation.segmenter import Image

SIDE = 900
"""Smallest longer side of a picture: contours and dots of small images would be coarse."""

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_BAND = 26


def overlay(
    image: Image,
    target_HW: LabelMap,
    answer_HW: LabelMap,
    clicks: ClickSet,
    *,
    ignore: Mask | None = None,
    caption: str = "",
) -> Image:
    """RGB picture: answered masks tinted, target contours drawn, clicks as dots.

    An object's mask, contour and dots share a color; background clicks are black crosses and
    ignored pixels are hatched. ``caption`` goes into a band on top.
    """
    scale = max(1.0, SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    picture = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    answer = cv2.resize(answer_HW.astype(np.int16), size, interpolation=cv2.INTER_NEAREST)
    target = cv2.resize(target_HW.astype(np.int16), size, interpolation=cv2.INTER_NEAREST)
    if ignore is not None:
        ys, xs = np.nonzero(cv2.resize(ignore.view(np.uint8), size, interpolation=0))
        striped = (ys + xs) % 10 < 2
        picture[ys[striped], xs[striped]] = 160
    for index in range(len(clicks.objects)):
        mask = answer == index
        picture[mask] = (0.5 * picture[mask] + 0.5 * np.array(_color(index))).astype(np.uint8)
    for index in range(len(clicks.objects)):
        shape = (target == index).astype(np.uint8)
        contours, _ = cv2.findContours(shape, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, _BLACK, 4, cv2.LINE_AA)
        cv2.drawContours(picture, contours, -1, _color(index), 2, cv2.LINE_AA)
    for click, owner in zip(clicks, clicks.owners, strict=True):
        _draw_click(picture, click, owner, scale)
    if caption:
        band = np.full((_BAND, picture.shape[1], 3), 255, np.uint8)
        picture = np.concatenate([band, picture])
        cv2.putText(
            picture, caption, (6, _BAND - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _BLACK, 1, cv2.LINE_AA
        )
    return picture


def _draw_click(picture: Image, click: Click, owner: int, scale: float) -> None:
    center = (round((click.x + 0.5) * scale), round((click.y + 0.5) * scale))
    if owner < 0:
        for color, width in ((_WHITE, 5), (_BLACK, 2)):
            cv2.drawMarker(picture, center, color, cv2.MARKER_TILTED_CROSS, 12, width, cv2.LINE_AA)
    else:
        cv2.circle(picture, center, 7, _BLACK, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, center, 6, _WHITE, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, center, 4, _color(owner), cv2.FILLED, cv2.LINE_AA)


def _color(index: int) -> tuple[int, int, int]:
    """A bright color unlike those of near indices: the hue turns by the golden ratio."""
    red, green, blue = colorsys.hsv_to_rgb((0.5 + index * 0.618034) % 1, 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
