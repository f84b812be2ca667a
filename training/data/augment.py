"""A sample becomes a training crop: geometry, pasted objects, the choice of objects, colour.

The defaults are the reference's (docs/network.md, 10) but for the crop size. What a small data set
needs besides - colour, copy-paste, crops about an object - is off until asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.data.color import ColorConfig, jitter
from training.data.config_types import Area, Count, Positive, Probability, Range
from training.data.crops import Window, crop, log_uniform, object_window, scaled_window
from training.data.paste import PasteConfig, paste_objects
from training.data.sample import NONE, Sample

Donors = Callable[[np.random.Generator], Sample]

_ATTEMPTS = 5  # windows tried before falling back on one about an object


@dataclass(frozen=True)
class AugmentConfig:
    """All settings of the augmentation; areas in pixels, probabilities in [0, 1]."""

    size: int = 1024  # side of the crop
    flip_probability: Probability = 0.5
    scale: Range = (0.1, 2.0)  # uniform; 1 = the image just fits the crop
    object_probability: Probability = 0.0  # a crop about a random object instead
    object_scale: Range = (0.1, 0.9)  # log-uniform; longer side of it / crop
    max_magnification: Positive = 4.0  # of a crop about an object: crop pixels per source pixel
    min_area: Area = 400  # objects smaller in the source, as a whole, are background
    min_visible_area: Area = 50  # objects with no more than this in the crop are background
    stuff_probability: Probability = 0.15
    keep_fraction: Probability = (
        0.7  # of n > 1 objects a random min(int(keep_fraction·n), max_objects)
    )
    max_objects: Count = 30
    keep_all_probability: Probability = 0.0  # all (up to max_objects) instead
    few_probability: Probability = 0.0  # any number instead, the smaller the likelier
    merge_parts_probability: Probability = (
        0.0  # per object: its parts belong to it, are none themselves
    )
    color: ColorConfig = field(default_factory=ColorConfig)
    paste: PasteConfig = field(default_factory=PasteConfig)


class Augment:
    """Callable: any sample in, a size×size sample out; padding at the bottom and right is ignored.

    A crop may hold no object when the source has none that is large enough. `donors` draws the
    samples whose objects are pasted. All randomness comes from the generator of the call.
    """

    def __init__(self, config: AugmentConfig, donors: Donors | None = None) -> None:
        self.config = config
        self._donors = donors

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """One crop of the sample; calling again with an equal generator gives an equal crop."""
        config = self.config
        sample = _allowed_objects(sample, config, rng)
        flip = bool(rng.random() < config.flip_probability)
        for attempt in range(_ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            about_object = bool(rng.random() < config.object_probability) or last
            window = _window(sample, config, rng, about_object=about_object)
            cropped = crop(sample, window, config.size, flip=flip)
            if (cropped.areas > config.min_visible_area).any() or not sample.labels:
                break
        if self._donors is not None and rng.random() < config.paste.probability:
            extent = (window.out_height, window.out_width)
            cropped = paste_objects(cropped, self._donors(rng), config.paste, rng, extent)
        chosen = choose_objects(cropped, config, rng)
        # Padding keeps its grey: the network sees the same padding in training and in use.
        chosen.image[: window.out_height, : window.out_width] = jitter(
            chosen.image[: window.out_height, : window.out_width], config.color, rng
        )
        return chosen


def _allowed_objects(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """Without the objects that are too small in the source, and mostly without stuff."""
    with_stuff = rng.random() < config.stuff_probability
    chosen = [
        index
        for index, area in enumerate(sample.whole_areas)
        if area > config.min_area and (with_stuff or not sample.stuff[index])
    ]
    return sample.keep(chosen) if len(chosen) < len(sample.labels) else sample


def _window(
    sample: Sample, config: AugmentConfig, rng: np.random.Generator, *, about_object: bool
) -> Window:
    # Objects are allowed by their whole areas: others may hide all but a few pixels of one.
    seen = np.flatnonzero(sample.areas > config.min_visible_area) if about_object else ()
    if len(seen):
        index = int(seen[rng.integers(len(seen))])
        scale = log_uniform(config.object_scale, rng)
        fit = config.size / max(sample.instances.shape)
        limits = (min(config.scale[0] * fit, config.max_magnification), config.max_magnification)
        return object_window(
            sample, index, config.size, rng, side=config.size * scale, limits=limits
        )
    return scaled_window(sample, config.size, rng.uniform(*config.scale), rng)


def choose_objects(sample: Sample, config: AugmentConfig, rng: np.random.Generator) -> Sample:
    """A random subset of the objects that are visible enough; the others become background.

    (docs/network.md, 10.) A part that is not chosen goes to the object it is a part of. Where
    nearly all objects are always chosen, nothing tells the network to leave out those that nobody
    clicked: ``few_probability`` is for people, who click one after another.
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
