"""Masks drawn on their image: colors, contours, and a dot for every click."""

import colorsys

import cv2
import numpy as np
import numpy.typing as npt

from dynamite.clicks import Click, ClickSet

Pixels = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

VEIL = 0.45
"""How much of a mask's color lies over the image."""

GOLDEN = 0.618033988749895
"""Steps of hue that never come close to an earlier one."""

WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (220, 30, 30)


def color(index: int) -> Color:
    """The color of object ``index``: bright, and unlike those of its neighbors."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + index * GOLDEN) % 1, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def overlay(image: Pixels, label_map: npt.NDArray[np.int16], clicks: ClickSet) -> Pixels:
    """The picture (H×W×3 RGB) with every object of ``label_map`` in its own color.

    Clicks on objects are dots in the object's color; clicks on the background are red crosses.
    """
    picture = image.astype(np.float32)
    for index in range(len(clicks.objects)):
        mask = label_map == index
        picture[mask] = (1 - VEIL) * picture[mask] + VEIL * np.array(color(index), np.float32)
    drawn = np.ascontiguousarray(picture.round().astype(np.uint8))
    size = max(2, round(max(image.shape[:2]) / 320))
    for index in range(len(clicks.objects)):
        shape = (label_map == index).astype(np.uint8)
        outlines, _ = cv2.findContours(shape, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, WHITE, size + 1, cv2.LINE_AA)
        cv2.drawContours(drawn, outlines, -1, color(index), size - 1, cv2.LINE_AA)
    for index, group in enumerate(clicks.objects):
        for one in group:
            dot(drawn, one, color(index), 3 * size)
    for one in clicks.background:
        cross(drawn, one, 3 * size)
    return drawn


def dot(picture: Pixels, click: Click, fill: Color, radius: int) -> None:
    """A filled circle with a white rim and a black edge."""
    center = round(click.x), round(click.y)
    cv2.circle(picture, center, radius + 2, BLACK, -1, cv2.LINE_AA)
    cv2.circle(picture, center, radius + 1, WHITE, -1, cv2.LINE_AA)
    cv2.circle(picture, center, radius - 1, fill, -1, cv2.LINE_AA)


def cross(picture: Pixels, click: Click, radius: int) -> None:
    """A red cross with a white rim."""
    center = round(click.x), round(click.y)
    shape, size = cv2.MARKER_TILTED_CROSS, 2 * radius
    for ink, width in ((WHITE, radius), (RED, max(1, radius // 2))):
        cv2.drawMarker(picture, center, ink, shape, size, width, cv2.LINE_AA)
