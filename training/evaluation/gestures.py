"""Gestures of a simulated annotator: a click in the middle, a click off it, a stroke, a box.

The published protocol clicks the middle (docs/evaluation.md). That flatters a method, because
people rarely hit the middle. A gesture costs one click of the click budget, however many clicks
the network sees.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Click, ClickSet
from dynamite.clicks import MAX_CLICKS
from training.click_simulation import LabelMap
from training.distance_map import DistanceMap, Mask, Point

Rng = np.random.Generator

STROKE_CLICKS = 5
"""Maximum number of clicks of one stroke."""

STROKE_SPACING = 10
"""Pixels of a stroke's length per click."""

BOX_MARGIN = 0.08
"""Distance of a box's background clicks from its edges, as a share of its width or height."""


@dataclass(frozen=True)
class Gesture:
    """A way of marking a region.

    ``mark`` returns the pixels to click for an error region, [(0, 0)] for an empty one. ``boxes``
    says that objects are first marked by boxes.
    """

    mark: Callable[[DistanceMap, Rng], list[Point]]
    boxes: bool = False

    def first_clicks(
        self, target_HW: LabelMap, num_objects: int, ignore_HW: Mask, rng: Rng
    ) -> ClickSet:
        """Return the first clicks: one gesture on each object, in order.

        Args:
            target_HW: label map of the objects.
            num_objects: number of objects N.
            ignore_HW: pixels that are not clicked.
            rng: for gestures that draw.
        """
        # One at a time: the masks of hundreds of objects of a large photo do not fit into memory.
        masks = ((target_HW == index) & ~ignore_HW for index in range(num_objects))
        if self.boxes:
            boxes = [cv2.boundingRect(mask_HW.view(np.uint8)) for mask_HW in masks]
            return _boxed(boxes, target_HW.shape)
        most = max(1, MAX_CLICKS // num_objects)  # a model takes at most MAX_CLICKS
        strokes = [self.mark(DistanceMap.of(mask_HW), rng)[:most] for mask_HW in masks]
        return _stamped(strokes, [])


def middle(region: DistanceMap, _rng: Rng) -> list[Point]:
    """Return the deepest pixel, as the published protocol does."""
    return [region.peak]


def off_middle(shallowest: float, deepest: float) -> Callable[[DistanceMap, Rng], list[Point]]:
    """Return a gesture that draws a pixel between two shares of the region's depth.

    Pixels on the edge are drawn only if there are no others. A deep pixel is an easy click, a
    shallow one a hard click.
    """

    def mark(region: DistanceMap, rng: Rng) -> list[Point]:
        lowest, highest = shallowest * region.maximum, deepest * region.maximum
        band_hw = (region.values_hw > lowest) & (region.values_hw <= highest)
        inner_hw = band_hw & (region.values_hw > 1)
        flat = np.flatnonzero(inner_hw if inner_hw.any() else band_hw)
        if not flat.size:
            return [region.peak]
        y, x = np.unravel_index(int(rng.choice(flat)), band_hw.shape)
        return [(int(y) + region.top, int(x) + region.left)]

    return mark


def stroke(region: DistanceMap, rng: Rng) -> list[Point]:
    """Draw a stroke along the core of the region, as at most ``STROKE_CLICKS`` clicks."""
    if region.maximum == 0:
        return [region.peak]
    core_K2 = _core(region)
    centered_K2 = core_K2 - core_K2.mean(0)
    axis_2 = np.linalg.svd(centered_K2, full_matrices=False)[2][0]
    along_K = centered_K2 @ axis_2
    length = float(np.ptp(along_K))
    number = min(STROKE_CLICKS, 1 + int(length / STROKE_SPACING))
    section_K = np.minimum((along_K - along_K.min()) / (length + 1e-9) * number, number - 1)
    points = []
    for section in range(number):
        members_K2 = core_K2[section_K.astype(int) == section]
        if len(members_K2):
            y, x = members_K2[rng.integers(len(members_K2))]
            points.append((int(y) + region.top, int(x) + region.left))
    return points


GESTURES: dict[str, Gesture] = {
    "center": Gesture(middle),
    "off-center": Gesture(off_middle(0, 1)),
    "off-center-easy": Gesture(off_middle(0.5, 1)),
    "off-center-hard": Gesture(off_middle(0, 0.5)),
    "scribble": Gesture(stroke),
    "box": Gesture(middle, boxes=True),
}


def _core(region: DistanceMap) -> NDArray[np.intp]:
    """Return the connected deep pixels around the peak, K×2 (y, x) in the region's box."""
    deep_hw = (region.values_hw > region.maximum / 2).astype(np.uint8)
    _, parts_hw = cv2.connectedComponents(deep_hw)
    y, x = region.peak
    return np.argwhere(parts_hw == parts_hw[y - region.top, x - region.left])


def _boxed(boxes: Sequence[Sequence[int]], size: tuple[int, ...]) -> ClickSet:
    """Click the middle of each object's box (left, top, width, height) and outside its four edges.

    Background clicks in another object's box, off the image, or beyond ``MAX_CLICKS`` are left out.
    """
    height, width = size
    inside: list[list[Point]] = []
    outside: list[Point] = []
    for left, top, w, h in boxes:
        y, x = top + h // 2, left + w // 2
        up, aside = max(1, round(BOX_MARGIN * h)), max(1, round(BOX_MARGIN * w))
        inside.append([(y, x)])
        if not w:  # an object that others hide completely
            continue
        for point in (
            (top - up, x),
            (top + h - 1 + up, x),
            (y, left - aside),
            (y, left + w - 1 + aside),
        ):
            on_image = 0 <= point[0] < height and 0 <= point[1] < width
            if on_image and not any(_holds(box, point) for box in boxes):
                outside.append(point)
    return _stamped(inside, outside[: MAX_CLICKS - len(inside)])


def _holds(box: Sequence[int], point: Point) -> bool:
    left, top, width, height = box
    return left <= point[1] < left + width and top <= point[0] < top + height


def _stamped(objects: list[list[Point]], background: list[Point]) -> ClickSet:
    """Return clicks at these pixels with time stamps in this order."""
    time = iter(range(sum(map(len, objects)) + len(background)))
    clicks = [
        [Click.on_pixel(x, y, next(time)) for y, x in points] for points in [*objects, background]
    ]
    return ClickSet(clicks[:-1], clicks[-1])
