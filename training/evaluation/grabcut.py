"""Baseline: OpenCV's GrabCut, driven by the same clicks.

Objects are cut out one by one, with the clicks of all others as background. A pixel claimed by
several objects goes to the one with the nearest click.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Click, ClickSet
from training.click_simulation import LabelMap
from training.distance_map import Mask, Point
from training.evaluation.segmenter import Image, OpenedImage

LONGEST_SIDE = 480
"""Working size: larger images are scaled down to this length, in pixels."""

ITERATIONS = 5
"""Maximum number of iterations of a cut; it stops earlier if the mask does not change."""

SIZE_PRIOR = 0.25
"""Radius of the probable object around a click, as a share of the image's shorter side."""

WINDOW = 1.5
"""Margin of a cut around the probable object, as a share of that object's size."""

SEED_RADIUS = 4
"""Radius around a click that surely has its label, in pixels of the working size."""


class GrabCut:
    """The baseline as a ``Segmenter``."""

    def open(self, image: Image) -> OpenedImage:
        """Scale the image to the working size."""
        return _GrabCutImage(image)


class _GrabCutImage:
    """One image; a new click cuts only the objects it affects again, starting from their masks."""

    def __init__(self, image: Image) -> None:
        self._size = image.shape[:2]
        self._scale = min(1.0, LONGEST_SIDE / max(self._size))
        height, width = (max(1, round(side * self._scale)) for side in self._size)
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        self._image = resized.astype(np.uint8, copy=False)
        self._clicks: set[Click] = set()
        self._masks: list[Mask] = []

    def segment(self, clicks: ClickSet) -> LabelMap:
        """Cut out the objects at the working size, make them disjoint and scale them back."""
        now = set(clicks)
        if not self._clicks <= now or len(self._masks) != len(clicks.objects):
            self._clicks, self._masks = set(), []
        new = now - self._clicks
        masks = []
        for index, own in enumerate(clicks.objects):
            mask = self._masks[index] if self._masks else None
            if mask is None or any(click in own or mask[self._pixel(click)] for click in new):
                foreground = [self._pixel(click) for click in own]
                background = [self._pixel(click) for click in now.difference(own)]
                mask = cut_out(self._image, foreground, background, mask)
            masks.append(mask)
        self._clicks, self._masks = now, masks
        nearest = _without_overlap(masks, [[self._pixel(c) for c in own] for own in clicks.objects])
        size = (self._size[1], self._size[0])
        return cv2.resize(nearest, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int32)

    def _pixel(self, click: Click) -> Point:
        height, width = self._image.shape[:2]
        y, x = int(click.y * self._scale), int(click.x * self._scale)
        return min(y, height - 1), min(x, width - 1)


def cut_out(
    image: Image, foreground: Sequence[Point], background: Sequence[Point], before: Mask | None
) -> Mask:
    """Cut one object out of the image.

    GrabCut starts from discs around the object's clicks and from its mask ``before``, limited to
    pixels that are nearer to a click on the object than to any other click. Otherwise a mask that
    has run into its surroundings would teach GrabCut their colors. Pixels far from that start are
    background. Parts without a click are dropped.

    Args:
        image: H×W×3 RGB.
        foreground: clicked pixels (y, x) of the object.
        background: all other clicked pixels.
        before: the object's mask after the clicks so far, H×W, if there is one.

    Returns:
        The object's mask, bool H×W.
    """
    height, width = image.shape[:2]
    start_HW = np.zeros((height, width), np.uint8)
    for y, x in foreground:
        cv2.circle(start_HW, (x, y), round(SIZE_PRIOR * min(height, width)), 1, cv2.FILLED)
    if before is not None:
        start_HW |= before
    if background:
        own, other = _distance(foreground, start_HW.shape), _distance(background, start_HW.shape)
        start_HW &= own < other
    state_HW = np.where(start_HW, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    left, top, w, h = cv2.boundingRect((state_HW == cv2.GC_PR_FGD).view(np.uint8))
    margin = round(WINDOW * max(w, h)) + SEED_RADIUS
    for seeds, value in ((background, cv2.GC_BGD), (foreground, cv2.GC_FGD)):
        for y, x in seeds:
            cv2.circle(state_HW, (x, y), SEED_RADIUS, value, cv2.FILLED)
    window = (
        slice(max(0, top - margin), top + h + margin),
        slice(max(0, left - margin), left + w + margin),
    )
    mask_HW = np.zeros((height, width), np.bool_)
    mask_HW[window] = _grab_cut(image[window], state_HW[window])
    _, parts_HW = cv2.connectedComponents(mask_HW.view(np.uint8))
    wanted = {int(parts_HW[point]) for point in foreground} - {0}
    return np.isin(parts_HW, list(wanted))


def _distance(points: Sequence[Point], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the distance of each pixel to the nearest point, in pixels."""
    elsewhere_HW = np.ones(shape, np.uint8)
    for point in points:
        elsewhere_HW[point] = 0
    distance = cv2.distanceTransform(elsewhere_HW, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def _grab_cut(image: Image, state_hw: NDArray[np.uint8]) -> Mask:
    background_hw: Mask = (state_hw == cv2.GC_BGD) | (state_hw == cv2.GC_PR_BGD)
    if background_hw.all() or not background_hw.any():
        return ~background_hw
    state_hw = np.ascontiguousarray(state_hw)
    image = np.ascontiguousarray(image[..., ::-1])
    models = np.zeros((1, 65)), np.zeros((1, 65))
    mode = cv2.GC_INIT_WITH_MASK
    cv2.setRNGSeed(0)  # used by its k-means
    for _ in range(ITERATIONS):
        before_hw = state_hw.copy()
        cv2.grabCut(image, state_hw, (0, 0, 0, 0), *models, 1, mode)
        if np.array_equal(before_hw, state_hw):
            break
        mode = cv2.GC_EVAL
    mask_hw: Mask = (state_hw == cv2.GC_FGD) | (state_hw == cv2.GC_PR_FGD)
    return mask_hw


def _without_overlap(masks: Sequence[Mask], clicks: Sequence[Sequence[Point]]) -> NDArray[np.int16]:
    """Merge masks into a label map; a contested pixel goes to the object with the nearest click."""
    claimed = np.sum(masks, 0)
    labels_HW = np.full(claimed.shape, -1, np.int16)
    ys, xs = np.nonzero(claimed > 1)
    nearest = np.full(len(ys), np.inf)
    for index, (mask_HW, own) in enumerate(zip(masks, clicks, strict=True)):
        labels_HW[mask_HW & (claimed == 1)] = index
        if not len(ys):
            continue
        distance = np.min([(ys - y) ** 2 + (xs - x) ** 2 for y, x in own], 0)
        nearer = mask_HW[ys, xs] & (distance < nearest)
        nearest[nearer] = distance[nearer]
        labels_HW[ys[nearer], xs[nearer]] = index
    return labels_HW
