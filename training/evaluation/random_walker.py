"""Baseline: scikit-image's random walker, driven by the same clicks; all objects compete."""

import cv2
import numpy as np
from skimage.segmentation import random_walker

from dynamite import Click, ClickSet
from training.click_simulation import LabelMap
from training.distance_map import Point
from training.evaluation.segmenter import Image, OpenedImage

LONGEST_SIDE = 160
"""Working size: larger images are scaled down to this length, in pixels."""

BETA = 3000.0
"""How strongly an edge of the image hinders the walker."""

REACH = 0.6
"""The image border is background where it is farther from all clicks on objects than this share of
the shorter side. Otherwise all pixels would belong to objects until the first background click."""

SEED_RADIUS = 1
"""Radius around a click that has its label, in pixels of the working size."""


class RandomWalker:
    """The baseline as a ``Segmenter``."""

    def open(self, image: Image) -> OpenedImage:
        """Scale the image to the working size."""
        return _WalkedImage(image)


class _WalkedImage:
    def __init__(self, image: Image) -> None:
        self._size = image.shape[:2]
        self._scale = min(1.0, LONGEST_SIDE / max(self._size))
        height, width = (max(1, round(side * self._scale)) for side in self._size)
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        self._lab = cv2.cvtColor(resized, cv2.COLOR_RGB2LAB).astype(np.float64) / 255

    def segment(self, clicks: ClickSet) -> LabelMap:
        """Give each pixel the label that a walker from there most probably reaches first."""
        seeds_HW = self._seeds(clicks)
        labels_HW = seeds_HW
        if (seeds_HW == 0).any() and len(np.unique(seeds_HW)) > 2:
            labels_HW = random_walker(
                self._lab, seeds_HW, beta=BETA, mode="bf", channel_axis=-1, copy=True
            )
        # Unreachable pixels are −1; label 1 is the background, 2 + i object i.
        answer = np.maximum(labels_HW.astype(np.int16) - 2, -1)
        size = (self._size[1], self._size[0])
        return np.asarray(cv2.resize(answer, size, interpolation=cv2.INTER_NEAREST_EXACT), np.int32)

    def _seeds(self, clicks: ClickSet) -> LabelMap:
        """Return the seeds: 0 unknown, 1 background, 2 + i object i."""
        height, width = self._lab.shape[:2]
        objects = [self._pixel(click) for own in clicks.objects for click in own]
        far_HW = np.ones((height, width), np.uint8)
        for y, x in objects:
            cv2.circle(far_HW, (x, y), round(REACH * min(height, width)), 0, cv2.FILLED)
        far_HW[1:-1, 1:-1] = 0
        seeds_HW = far_HW.astype(np.int32)
        for owner, click in zip(clicks.owners, clicks, strict=True):
            y, x = self._pixel(click)
            cv2.circle(seeds_HW, (x, y), SEED_RADIUS, owner + 2, cv2.FILLED)
        return seeds_HW

    def _pixel(self, click: Click) -> Point:
        height, width = self._lab.shape[:2]
        y, x = int(click.y * self._scale), int(click.x * self._scale)
        return min(y, height - 1), min(x, width - 1)
