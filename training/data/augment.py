"""Augmentation: turns a sample into a training crop.

The defaults are the reference's (docs/network.md, 10) except for the crop size. Colour jitter,
copy-paste and crops around an object help small data sets and are off by default.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.data.color import ColorConfig, jitter
from training.data.config_types import Area, Count, Positive, PositiveRange, Probability
from training.data.crops import CropWindow, crop, log_uniform, object_window, random_window
from training.data.paste import PasteConfig, paste_objects
from training.data.sample import NONE, Sample

Donors = Callable[[np.random.Generator], Sample]

_ATTEMPTS = 5
"""Random windows to try before falling back on a window around an object."""


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of the augmentation; areas in pixels."""

    size: int = 1024  # side of the crop
    flip_probability: Probability = 0.5
    scale: PositiveRange = (0.1, 2.0)  # uniform; at 1 the image just fits the crop
    native_probability: Probability = 0.0  # of a crop that keeps the source's pixels as they are
    object_probability: Probability = 0.0  # of a crop around a random object, else
    object_scale: PositiveRange = (0.1, 0.9)  # its longer side / crop side, log-uniform
    max_magnification: Positive = 4.0  # around an object: crop pixels per source pixel
    min_area: Area = 400  # smaller objects (whole, in the source) are background
    min_visible_area: Area = 50  # objects with at most this in the crop are background
    stuff_probability: Probability = 0.15
    keep_fraction: Probability = 0.7  # of n > 1 objects keep min(int(0.7·n), max_objects)
    max_objects: Count = 30
    keep_all_probability: Probability = 0.0  # of keeping all (up to max_objects) instead
    few_probability: Probability = 0.0  # of keeping any number, log-uniform, instead
    merge_parts_probability: Probability = 0.0  # per object, of merging its parts into it
    color: ColorConfig = field(default_factory=ColorConfig)
    paste: PasteConfig = field(default_factory=PasteConfig)


class Augment:
    """Turns a sample of any size into a size×size sample.

    Padding lies at the bottom and right and is ignored. A crop holds no object if the source has
    none that is large enough. ``donors`` draws the samples whose objects are pasted. All
    randomness comes from the generator passed to the call.
    """

    def __init__(self, config: AugmentConfig, donors: Donors | None = None) -> None:
        self.config = config
        self._donors = donors

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return one crop; an equal generator gives an equal crop."""
        config = self.config
        sample = _allowed_objects(sample, config, rng)
        flip = bool(rng.random() < config.flip_probability)
        for attempt in range(_ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            native = config.native_probability > 0 and rng.random() < config.native_probability
            around_object = bool(rng.random() < config.object_probability) or last
            window = _window(sample, config, rng, around_object=around_object, native=native)
            cropped = crop(sample, window, config.size, flip=flip)
            if (cropped.areas > config.min_visible_area).any() or not sample.labels:
                break
        if self._donors is not None and rng.random() < config.paste.probability:
            extent = (window.out_height, window.out_width)
            cropped = paste_objects(cropped, self._donors(rng), config.paste, rng, extent)
        chosen = choose_objects(cropped, config, rng)
        # The padding stays grey, because that is how the network sees it when in use.
        chosen.image[: window.out_height, : window.out_width] = jitter(
            chosen.image[: window.out_height, : window.out_width], config.color, rng
        )
        return chosen


def _allowed_objects(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """Drop objects that are too small in the source and, most of the time, stuff."""
    with_stuff = rng.random() < config.stuff_probability
    chosen = [
        index
        for index, area in enumerate(sample.whole_areas)
        if area > config.min_area and (with_stuff or not sample.stuff[index])
    ]
    return sample.keep(chosen) if len(chosen) < len(sample.labels) else sample


def _window(
    sample: Sample,
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    around_object: bool,
    native: bool,
) -> CropWindow:
    # Objects are allowed by their whole area, so only a few pixels of one may be visible.
    wanted = around_object or native
    seen = np.flatnonzero(sample.areas > config.min_visible_area) if wanted else ()
    if len(seen):
        index = int(seen[rng.integers(len(seen))])
        if native:
            return object_window(sample, index, config.size, rng, side=config.size, limits=(1, 1))
        scale = log_uniform(config.object_scale, rng)
        fit = config.size / max(sample.label_map.shape)
        limits = (min(config.scale[0] * fit, config.max_magnification), config.max_magnification)
        return object_window(
            sample, index, config.size, rng, side=config.size * scale, limits=limits
        )
    return random_window(sample, config.size, rng.uniform(*config.scale), rng)


def choose_objects(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """Keep a random subset of the objects that are visible enough (docs/network.md, 10).

    A dropped part becomes pixels of the object it is a part of; any other dropped object becomes
    background. ``few_probability`` makes crops in which few objects are clicked: without them the
    network does not learn to leave out objects without clicks, and people click one object after
    another.
    """
    if config.merge_parts_probability:
        whole = rng.random(len(sample.labels)) < config.merge_parts_probability
        sample = sample.keep(
            index
            for index, parent in enumerate(sample.parents)
            if parent == NONE or not whole[parent]
        )
    visible = np.flatnonzero(sample.areas > config.min_visible_area)
    count = visible.size
    if count > 1 and config.few_probability > 0 and rng.random() < config.few_probability:
        count = int(log_uniform((1, count + 1), rng))
    elif count > 1 and rng.random() >= config.keep_all_probability:
        count = max(1, int(config.keep_fraction * count))
    chosen = rng.permutation(visible)[: min(count, config.max_objects)]
    return sample.keep(int(index) for index in np.sort(chosen))
