"""Tries proposals on an accepted image, whose objects people have drawn."""

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dynamite import ImageFeatures, Predictor
from dynamite.proposals.description import Description
from dynamite.proposals.likeness import Likeness
from dynamite.proposals.propose import Proposals, propose
from training.data.sample import Sample
from training.proposing.kept import MOST_IMAGES
from training.proposing.verdicts import Trial

IOU = 0.5
"""Above it, a proposal is taken for an object."""


def try_labels(
    predictor: Predictor,
    features: ImageFeatures,
    sample: Sample,
    name: str,
    others: Iterable[Mapping[str, Description]],
) -> list[Trial]:
    """Propose every label that other images describe, and count what is right.

    Args:
        predictor: of the network that made the features.
        features: of the image.
        sample: the image's accepted objects.
        name: the image's name.
        others: the descriptions of other images by label, the newest first.
    """
    known = list(others)
    trials = []
    for label in sorted({label for one in known for label in one}):
        descriptions = [one[label] for one in known if label in one][:MOST_IMAGES]
        found = propose(
            features, Likeness.learn(descriptions), partial(predictor.segment, features)
        )
        own = [index for index, one in enumerate(sample.labels) if one == label]
        truth = np.where(np.isin(sample.label_map, own), sample.label_map, -1).astype(np.int32)
        trials.append(
            Trial(
                image=name,
                label=label,
                proposed=len(found.scores),
                right=matched(found, truth),
            )
        )
    return trials


def matched(proposals: Proposals, truth: NDArray[np.int32]) -> int:
    """Return how many proposals have an IoU above ``IOU`` with an object of a label map."""
    rows, columns = len(proposals.scores) + 1, int(truth.max()) + 2
    pairs = (proposals.label_map.astype(np.int64) + 1) * columns + truth + 1
    both = np.bincount(pairs.ravel(), minlength=rows * columns).reshape(rows, columns)
    either = both.sum(1, keepdims=True) + both.sum(0) - both
    return int(((both > IOU * either)[1:, 1:]).any(1).sum())
