"""Masks and clicks drawn on a picture, in place; pictures are H×W×3 RGB.

For people who look at answers: nothing that serves needs it, so nothing else here imports it.
"""

import colorsys
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet
from dynamite.network.queries import BACKGROUND

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]

WHITE, BLACK = (255, 255, 255), (0, 0, 0)

_VEIL = 0.45
"""How much of a mask's color lies over the image."""

_GOLDEN = 0.618033988749895
"""Steps of hue that never come close to an earlier one."""


def color(index: int) -> Color:
    """The color of object ``index``: bright, and unlike those of its neighbors."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + index * _GOLDEN) % 1, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def tint(picture: Pixels, mask_HW: NDArray[np.bool_], ink: Color) -> None:
    """Lay a color over a mask."""
    veiled = (1 - _VEIL) * picture[mask_HW] + _VEIL * np.array(ink, np.float32)
    picture[mask_HW] = veiled.round().astype(np.uint8)


def outline(picture: Pixels, mask_HW: NDArray[np.bool_], ink: Color, width: int) -> None:
    """Draw the contours of a mask, ``width`` pixels wide and with a white rim."""
    found, _ = cv2.findContours(mask_HW.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, found, -1, WHITE, width + 2, cv2.LINE_AA)
    cv2.drawContours(picture, found, -1, ink, width, cv2.LINE_AA)


def mark_clicks(picture: Pixels, clicks: ClickSet, *, radius: int, scale: float = 1) -> None:
    """Draw dots in the color of their object, and crosses for clicks on the background.

    Args:
        picture: the image the clicks are on, ``scale`` times as large.
        radius: of a dot, in pixels of the picture.
    """
    for click, owner in zip(clicks, clicks.owners, strict=True):
        if owner == BACKGROUND:
            _cross(picture, _middle(click, scale), radius)
        else:
            _dot(picture, _middle(click, scale), color(owner), radius)


def _middle(click: Click, scale: float) -> tuple[int, int]:
    """The pixel of the picture that shows the middle of the one that was clicked on."""
    x, y = (math.floor((math.floor(place) + 0.5) * scale) for place in (click.x, click.y))
    return x, y


def _dot(picture: Pixels, center: tuple[int, int], fill: Color, radius: int) -> None:
    for ink, size in ((BLACK, radius + 2), (WHITE, radius + 1), (fill, radius - 1)):
        cv2.circle(picture, center, size, ink, cv2.FILLED, cv2.LINE_AA)


def _cross(picture: Pixels, center: tuple[int, int], radius: int) -> None:
    """Black with a white rim: no object has that color."""
    for ink, width in ((WHITE, radius), (BLACK, max(1, radius // 2))):
        cv2.drawMarker(
            picture, center, ink, cv2.MARKER_TILTED_CROSS, 2 * radius, width, cv2.LINE_AA
        )
