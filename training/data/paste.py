"""Copy-paste augmentation: pastes objects of one sample in front of another's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from training.data.config_types import Area, Count, PositiveRange, Probability
from training.data.crops import log_uniform
from training.data.sample import NONE, Sample

_OVERHANG = 0.3
"""Share of its side by which a pasted object may lie outside the frame."""

_MAX_MAGNIFICATION = 3.0
"""Crop pixels per donor pixel."""


@dataclass(frozen=True)
class PasteConfig:
    """How often to paste and how large; ``probability`` 0 turns pasting off."""

    probability: Probability = 0.0
    max_objects: Count = 3
    size: PositiveRange = (0.1, 0.6)  # longer side as a share of the crop
    min_source_area: Area = 400  # visible pixels in the donor
    max_source_share: Probability = 0.5  # of the donor image, so that backgrounds are not pasted


def paste_objects(
    sample: Sample,
    donor: Sample,
    config: PasteConfig,
    rng: np.random.Generator,
    extent: tuple[int, int],
) -> Sample:
    """Paste 1 to ``max_objects`` of the donor's objects, each with its parts, into the sample.

    Args:
        sample: what to paste into.
        donor: the sample to take objects from.
        config: how large they are.
        rng: makes all choices.
        extent: (H, W) of the sample without its padding, where objects go.
    """
    candidates = _candidates(donor, config)
    if not candidates:
        return sample
    count = min(len(candidates), int(rng.integers(1, config.max_objects + 1)))
    image, label_map = sample.image.copy(), sample.label_map.copy()
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
        label_map[target][inside] = len(sample.labels) + len(pasted)
        ignore[target][inside] = False
        pasted.append(index)
    return replace(
        sample,
        image=image,
        label_map=label_map,
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
    """Return the objects fit to be pasted: each index, with the indices of it and its parts."""
    areas = donor.areas
    largest = config.max_source_share * donor.label_map.size
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
    """Cut out an object, ``side`` pixels long: uint8 h×w×3 and a soft mask, float32 h×w in 0…1."""
    member = np.zeros(len(donor.labels) + 1, np.uint8)
    member[np.array(family) + 1] = 255
    mask = member[donor.label_map + 1]
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
    """Return the slices of target and patch where a patch at ``place`` lies within ``extent``."""
    target, source = [], []
    for start, length, room in zip(place, shape, extent, strict=True):
        low, high = max(start, 0), max(min(start + length, room), start, 0)
        target.append(slice(low, high))
        source.append(slice(low - start, high - start))
    return (target[0], target[1]), (source[0], source[1])
