"""Draws numbered callouts on a picture of the page."""

from collections.abc import Sequence
from pathlib import Path

import cv2

Box = tuple[float, float, float, float]
"""Left, top, width and height in the window."""

INK, PAPER = (46, 25, 230), (255, 255, 255)  # BGR
RADIUS, MARGIN, SMOOTH = 17, 5, cv2.LINE_AA


def draw_callouts(
    source: Path, target: Path, places: Sequence[tuple[Box, tuple[int, int]]]
) -> None:
    """Frame each place and put its number beside it, counted from 1.

    Each place comes with the way from the middle of its frame to the middle of its number.
    """
    picture = cv2.imread(str(source))
    assert picture is not None, source
    for number, ((left, top, width, height), (right, down)) in enumerate(places, start=1):
        first = round(left) - MARGIN, round(top) - MARGIN
        last = round(left + width) + MARGIN, round(top + height) + MARGIN
        cv2.rectangle(picture, first, last, PAPER, 5, SMOOTH)
        cv2.rectangle(picture, first, last, INK, 3, SMOOTH)
        middle = (first[0] + last[0]) // 2 + right, (first[1] + last[1]) // 2 + down
        cv2.circle(picture, middle, RADIUS + 2, PAPER, -1, SMOOTH)
        cv2.circle(picture, middle, RADIUS, INK, -1, SMOOTH)
        corner = middle[0] - 7, middle[1] + 8
        cv2.putText(picture, str(number), corner, cv2.FONT_HERSHEY_DUPLEX, 0.75, PAPER, 2, SMOOTH)
    cv2.imwrite(str(target), picture)
