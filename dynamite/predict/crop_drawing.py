"""Draws small objects again, each from a crop of the image (docs/network.md, 8)."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import ClickSet
from dynamite.network.model import FeatureMaps
from dynamite.network.refiner_boxes import Box
from dynamite.predict.picture import Picture, cut_out
from dynamite.predict.recent import Recent
from dynamite.predict.target_crops import TargetCrop, paste

SIDE = 256
"""Input pixels on a side of a crop."""

RECENT = 8
"""Crops whose features are kept, of 5 MB each for `lite`."""

LabelMap = NDArray[np.int16]
Scores = NDArray[np.float32]

Encode = Callable[[Sequence[Picture]], Sequence[FeatureMaps]]
"""Returns the feature maps of pictures of one size."""

Segment = Callable[[FeatureMaps, Box, ClickSet], tuple[LabelMap, Scores]]
"""Returns the label map of a box, for clicks in its pixels, and the scores of their objects."""


class CropDrawer:
    """Draws crops. The last ones' features are kept: from click to click, a crop is the same."""

    def __init__(self) -> None:
        self._recent: Recent[FeatureMaps] = Recent(RECENT)

    def draw(
        self,
        picture: Picture,
        crops: Sequence[TargetCrop],
        labels_HW: LabelMap,
        scores_N: Scores,
        *,
        encode: Encode,
        segment: Segment,
    ) -> None:
        """Draw the objects of crops into a label map, and change their scores, in place.

        ``encode`` and ``segment`` are of one network, always the same: kept here, they would be a
        cycle with their owner, and an old model would stay in memory for a while.
        """
        parts = [cut_out(picture, crop.box, labels_HW.shape, SIDE) for crop in crops]
        names = [sha256(part.tobytes()).digest() for part in parts]
        maps = self._recent.get(names, lambda missing: encode([parts[i] for i in missing]))
        for crop, own in zip(crops, maps, strict=True):
            answer, scores = segment(own, crop.box, crop.clicks)
            if paste(labels_HW, crop, answer):
                scores_N[crop.owners[0]] = scores[0]
