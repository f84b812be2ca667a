"""Draws masks and clicks on a picture, in place. ImageCache are (H, W, 3) uint8 RGB.

Only for people who look at results: nothing in this package imports it.
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

_TINT_OPACITY = 0.45
"""Opacity of a mask's color over the image, 0…1."""

_HUE_STEP = 0.618033988749895
"""The golden ratio: multiples of it, modulo 1, stay far apart."""


def color(index: int) -> Color:
    """Return the color (R, G, B) of object ``index``: bright, and unlike its neighbors' colors."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + index * _HUE_STEP) % 1, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def tint(picture: Pixels, mask_HW: NDArray[np.bool_], ink: Color) -> None:
    """Blend a color over a mask (H, W)."""
    tinted = (1 - _TINT_OPACITY) * picture[mask_HW] + _TINT_OPACITY * np.array(ink, np.float32)
    picture[mask_HW] = tinted.round().astype(np.uint8)


def outline(picture: Pixels, mask_HW: NDArray[np.bool_], ink: Color, width: int) -> None:
    """Draw the contours of a mask (H, W), ``width`` pixels wide, with a white rim."""
    found, _ = cv2.findContours(mask_HW.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, found, -1, WHITE, width + 2, cv2.LINE_AA)
    cv2.drawContours(picture, found, -1, ink, width, cv2.LINE_AA)


def mark_clicks(picture: Pixels, clicks: ClickSet, *, radius: int, scale: float = 1) -> None:
    """Draw object clicks as dots in their object's color, background clicks as crosses.

    Args:
        picture: the image the clicks are on, ``scale`` times as large.
        clicks: in pixels of the image before scaling.
        radius: of a dot, in pixels of the picture.
        scale: picture pixels per image pixel.
    """
    for click, owner in zip(clicks, clicks.owners, strict=True):
        if owner == BACKGROUND:
            _cross(picture, _center(click, scale), radius)
        else:
            _dot(picture, _center(click, scale), color(owner), radius)


def _center(click: Click, scale: float) -> tuple[int, int]:
    """Return (x, y) of the picture at the center of the clicked pixel."""
    x, y = (math.floor((math.floor(value) + 0.5) * scale) for value in (click.x, click.y))
    return x, y


def _dot(picture: Pixels, center: tuple[int, int], fill: Color, radius: int) -> None:
    for ink, size in ((BLACK, radius + 2), (WHITE, radius + 1), (fill, radius - 1)):
        cv2.circle(picture, center, size, ink, cv2.FILLED, cv2.LINE_AA)


def _cross(picture: Pixels, center: tuple[int, int], radius: int) -> None:
    """Draw a cross in black, which no object has, with a white rim."""
    for ink, width in ((WHITE, radius), (BLACK, max(1, radius // 2))):
        cv2.drawMarker(
            picture, center, ink, cv2.MARKER_TILTED_CROSS, 2 * radius, width, cv2.LINE_AA
        )
