"""Copy-paste: objects of one sample set before another's, since scenes of many are scarce."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from training.data.config_types import Area, Count, Probability, Range
from training.data.crops import log_uniform
from training.data.sample import NONE, Sample

_OVERHANG = 0.3  # of its side a pasted object may lie beyond the frame
_MAX_MAGNIFICATION = 3.0


@dataclass(frozen=True)
class PasteConfig:
    """How often and how large; `probability` 0 turns it off."""

    probability: Probability = 0.0
    max_objects: Count = 3
    size: Range = (0.1, 0.6)  # longer side as a fraction of the crop
    min_source_area: Area = 400  # visible pixels in the donor
    max_source_share: Probability = 0.5  # of the donor image: backgrounds are no objects to paste


def paste_objects(
    sample: Sample,
    donor: Sample,
    config: PasteConfig,
    rng: np.random.Generator,
    extent: tuple[int, int],
) -> Sample:
    """The sample with 1…max_objects of the donor's objects in front, each with all its parts.

    `extent` (H, W) is the part of the sample that is picture, not padding: objects go there.
    """
    candidates = _candidates(donor, config)
    if not candidates:
        return sample
    count = min(len(candidates), int(rng.integers(1, config.max_objects + 1)))
    image, instances = sample.image.copy(), sample.instances.copy()
    ignore = sample.ignore.copy()
    pasted: list[int] = []
    for chosen in rng.permutation(len(candidates))[:count]:
        index, family = candidates[int(chosen)]
        side = log_uniform(config.size, rng) * max(extent)
        pixels, alpha = _cut_out(donor, family, side, flip=bool(rng.random() < 0.5))
        place = [
            int(rng.uniform(*_starts(length, room)))
            for length, room in zip(alpha.shape, extent, strict=True)
        ]
        target, source = _overlap(place, alpha.shape, extent)
        if not source[0].stop > source[0].start or not source[1].stop > source[1].start:
            continue
        weight = alpha[source][..., None]
        image[target] = (image[target] * (1 - weight) + pixels[source] * weight).astype(np.uint8)
        inside = alpha[source] > 0.5
        instances[target][inside] = len(sample.labels) + len(pasted)
        ignore[target][inside] = False
        pasted.append(index)
    return replace(
        sample,
        image=image,
        instances=instances,
        ignore=ignore,
        labels=sample.labels + tuple(donor.labels[index] for index in pasted),
        parents=sample.parents + (NONE,) * len(pasted),
        stuff=sample.stuff + (False,) * len(pasted),
        whole_areas=sample.whole_areas + tuple(donor.whole_areas[index] for index in pasted),
    )


def _starts(length: int, room: int) -> tuple[float, float]:
    """Least and greatest start of an object along an axis; a strip may be narrower than it."""
    low, high = sorted((-_OVERHANG * length, room - (1 - _OVERHANG) * length))
    return low, high


def _candidates(donor: Sample, config: PasteConfig) -> list[tuple[int, list[int]]]:
    """Objects fit to be pasted: (index, it and all its parts)."""
    areas = donor.areas
    largest = config.max_source_share * donor.instances.size
    candidates = []
    for index, stuff in enumerate(donor.stuff):
        family = [other for other in range(len(areas)) if _descends(other, index, donor.parents)]
        area = areas[family].sum()
        if not stuff and config.min_source_area <= area <= largest:
            candidates.append((index, family))
    return candidates


def _descends(index: int, ancestor: int, parents: Sequence[int]) -> bool:
    while index not in (ancestor, NONE):
        index = parents[index]
    return index == ancestor


def _cut_out(
    donor: Sample, family: list[int], side: float, *, flip: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Pixels (uint8 h×w×3) and soft mask (float32 h×w, 0…1) of an object, `side` pixels long."""
    member = np.zeros(len(donor.labels) + 1, np.uint8)
    member[np.array(family) + 1] = 255
    mask = member[donor.instances + 1]
    x, y, width, height = cv2.boundingRect(mask)
    box = (slice(y, y + height), slice(x, x + width))
    factor = min(side / max(width, height), _MAX_MAGNIFICATION)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(donor.image[box], size, interpolation=how)
    alpha = cv2.GaussianBlur(cv2.resize(mask[box], size, interpolation=how), (3, 3), 0)
    if flip:
        pixels, alpha = pixels[:, ::-1], alpha[:, ::-1]
    return pixels.astype(np.uint8, copy=False), alpha.astype(np.float32) / np.float32(255)


def _overlap(
    place: Sequence[int], shape: Sequence[int], extent: Sequence[int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the target and of the source where a patch at `place` lies within `extent`."""
    target, source = [], []
    for start, length, room in zip(place, shape, extent, strict=True):
        low, high = max(start, 0), max(min(start + length, room), start, 0)
        target.append(slice(low, high))
        source.append(slice(low - start, high - start))
    return (target[0], target[1]), (source[0], source[1])
