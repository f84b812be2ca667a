"""Accepted images as examples: cached features, and the objects at the size of the input."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Predictor
from dynamite.network.model import FeatureMaps
from dynamite.predict.features import split_batch
from training.data.sample import NONE, Sample
from training.loop.batches import Batch, add_initial_clicks

MIN_AREA = 16
"""Smaller objects, in pixels of the input, are not learned from: a click covers them."""

ONLY_FIRST_CLICKS = 0.6
"""Share of the samples that begin with one click on each object and none on the background, as
people begin."""


@dataclass(frozen=True)
class Example:
    """One accepted image.

    Attributes:
        maps: its features.
        sample: its objects at the size of the network's padded input; padding is ignored.
    """

    maps: FeatureMaps
    sample: Sample


def with_at_most(sample: Sample, most: int, rng: np.random.Generator) -> Sample:
    """Return the sample with at most that many of its objects, drawn; the others are ignored."""
    count = len(sample.labels)
    if count <= most:
        return sample
    kept = np.sort(rng.permutation(count)[:most]).tolist()
    left_out = ~np.isin(sample.label_map, [NONE, *kept])
    return replace(sample.keep(kept), ignore=sample.ignore | left_out)


def encode_examples(predictor: Predictor, samples: Iterable[Sample]) -> list[Example]:
    """Encode samples; those without an object of ``MIN_AREA`` are left out."""
    found = (_encode(predictor, sample) for sample in samples)
    return [example for example in found if example.sample.labels]


def _encode(predictor: Predictor, sample: Sample) -> Example:
    features = predictor.encode(sample.image)
    maps = split_batch(features.maps, 0)  # a copy: tensors of inference mode take no gradient
    padded = features.maps.padded_size
    labels_HW = _padded(sample.label_map, features.input_size, padded, NONE)
    ignore_HW = _padded(sample.ignore, features.input_size, padded, 1).astype(np.bool_)
    resized = replace(
        sample, image=np.zeros((*padded, 3), np.uint8), label_map=labels_HW, ignore=ignore_HW
    )
    learnable = np.bincount(labels_HW[~ignore_HW] + 1, minlength=len(sample.labels) + 1)[1:]
    kept = resized.keep(np.flatnonzero(learnable >= MIN_AREA).tolist())
    return Example(maps, kept)


def _padded(
    values_HW: NDArray[np.generic], size: tuple[int, int], padded: tuple[int, int], fill: int
) -> NDArray[np.int32]:
    """Resize a map of labels to ``size`` (H, W), then pad it below and to the right."""
    resized = cv2.resize(
        values_HW.astype(np.int32), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT
    )
    result = np.full(padded, fill, np.int32)
    result[: size[0], : size[1]] = resized
    return result


def clicked_batch(example: Example, most: int, rng: np.random.Generator, number: int) -> Batch:
    """Draw one to ``most`` objects of an example and their first clicks, as a batch of one.

    ``number`` seeds what is drawn later (``Batch.numbers``).
    """
    sample = example.sample
    count = int(rng.integers(1, min(most, len(sample.labels)) + 1))
    chosen = sample.keep(rng.permutation(len(sample.labels))[:count].tolist())
    clicked = add_initial_clicks(chosen, rng, number)
    if rng.random() < ONLY_FIRST_CLICKS:
        clicked = replace(clicked, clicks=clicked.clicks.only_first())
    return Batch.stack([clicked])
