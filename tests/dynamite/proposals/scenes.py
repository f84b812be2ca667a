"""Images whose features are known: disks of one kind, of another kind, and ground."""

import cv2
import numpy as np
import torch

from dynamite.network.model import FeatureMaps
from dynamite.predict.features import ImageFeatures
from dynamite.predict.predictor import Segmentation

CHANNELS = 64
SHARE = 16
STRIDE = 4


def scene(disks, size=(160, 200), kind=0):
    """A label map with disks (x, y, radius), and features that tell objects, borders and ground."""
    labels = np.full(size, -1, np.int16)
    for index, (x, y, radius) in enumerate(disks):
        cv2.circle(labels, (x, y), radius, index, cv2.FILLED)
    rows, columns = size[0] // STRIDE, size[1] // STRIDE
    cells = labels[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    maps = torch.randn(1, CHANNELS, rows, columns, generator=torch.manual_seed(0)) * 0.1
    for index in range(len(disks)):
        inside = (cells == index).astype(np.uint8)
        core = cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0) > 0
        first = 2 * SHARE * kind
        maps[0, first : first + SHARE, torch.from_numpy(inside > 0)] += 3
        maps[0, first + SHARE : first + 2 * SHARE, torch.from_numpy(core)] += 3
    return labels, features_of(maps, size)


def features_of(mask_features, size):
    channels = mask_features.shape[1]
    levels = tuple(
        torch.zeros(1, channels, max(1, size[0] // side), max(1, size[1] // side))
        for side in (32, 16, 8)
    )
    maps = FeatureMaps(mask_features, levels, levels, (), None)
    return ImageFeatures(maps, size, size, "v1")


def segmenter(labels, score=0.9, asked=None):
    """A network that draws the disk under each click, whole, for the first click that names it."""

    def segment(clicks):
        if asked is not None:
            asked.append(clicks)
        answer = np.full(labels.shape, -1, np.int16)
        for index, (click, *_) in enumerate(clicks.objects):
            under = labels[int(click.y), int(click.x)]
            if under >= 0:
                answer[(labels == under) & (answer < 0)] = index
        return Segmentation(answer, np.full(len(clicks.objects), score, np.float32))

    return segment
