"""The gate of project memory: does it help on accepted images it has not learned from?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynamite import Predictor
from dynamite.network.model import DynaMITE
from training.data.sample import Sample, SampleList
from training.evaluation.model_segmenter import ModelSegmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.memory.examples import encode_examples, with_at_most
from training.memory.learn import STEPS, learn

FOLDS = 2
"""Parts of the accepted images: each is tried with a memory of the others."""

LEAST = 2
"""Fewest images for a trial."""

MARGIN = 0.02
"""Smallest share of clicks that memory must save."""

BUDGET = 6
"""Clicks on an object before it counts as failed: people give up soon, and trials must be quick."""

MAX_OBJECTS = 8
"""Most objects tried of an image, drawn; a crowd would take minutes."""


@dataclass(frozen=True)
class LabelTrial:
    """What memory does for the objects of one label: means without it and with it."""

    label: str
    objects: int
    first_iou: tuple[float, float]
    clicks: tuple[float, float]


@dataclass(frozen=True)
class Trial:
    """What memory does for images it has not learned from.

    Attributes:
        images: how many were tried.
        clicks: clicks per object, without memory and with it.
        first_iou: IoU after one click on each object, likewise.
        error: standard error of the difference in clicks, with images as independent units.
        labels: the same label by label, the most frequent first.
    """

    images: int
    clicks: tuple[float, float]
    first_iou: tuple[float, float]
    error: float
    labels: tuple[LabelTrial, ...]

    @property
    def gain(self) -> float:
        """The share of clicks saved."""
        return 1 - self.clicks[1] / self.clicks[0]

    @property
    def objection(self) -> str:
        """Why not to use the memory, in words; empty if it helps."""
        if self.gain < MARGIN:
            return f"less than {MARGIN:.0%}"
        if self.clicks[0] - self.clicks[1] < self.error:
            return "may be chance"
        if self.first_iou[1] < self.first_iou[0]:
            return "but the first masks are worse"
        return ""

    @property
    def helps(self) -> bool:
        """Whether to use the memory: it saves clicks beyond its error, and first masks gain."""
        return not self.objection


@dataclass(frozen=True)
class _Tried:
    image: int
    label: str
    first: tuple[float, float]
    clicks: tuple[float, float]


def try_memory(
    model: DynaMITE,
    samples: Sequence[Sample],
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Trial | None:
    """Learn from one part of the images and try the result on the other, and the other way round.

    Args:
        model: the network without memory.
        samples: the accepted images, each with an object.
        rng: parts the images and makes all choices.
        steps: of learning.
        report: called with the images tried and their number.

    Returns:
        None if there are fewer than ``LEAST`` images.
    """
    if len(samples) < LEAST:
        return None
    plain = Predictor(model)
    order = rng.permutation(len(samples)).tolist()
    parts = [order[fold::FOLDS] for fold in range(FOLDS)]
    tried: list[_Tried] = []
    for part in parts:
        others = [samples[index] for index in order if index not in part]
        examples = encode_examples(plain, others)
        if not examples:
            return None
        adapted = Predictor(learn(model, examples, rng, steps=steps).apply(model))
        for index in part:
            chosen = with_at_most(samples[index], MAX_OBJECTS, rng)
            tried += _try_image(index, chosen, (plain, adapted))
            report(len({one.image for one in tried}), len(samples))
    return _summary(tried)


def _try_image(index: int, sample: Sample, predictors: tuple[Predictor, Predictor]) -> list[_Tried]:
    plan = EvaluationPlan(clicks_per_object=BUDGET)
    records = [
        evaluate(ModelSegmenter(one), SampleList("accepted", [sample]), plan)[0]
        for one in predictors
    ]
    found = []
    for number, label in enumerate(sample.labels):
        first = [float(np.nan_to_num(record.ious[0, number], nan=1.0)) for record in records]
        clicks = [
            float(BUDGET)
            if record.ious[-1, number] < plan.threshold
            else min(float(record.spent[number]), BUDGET)
            for record in records
        ]
        found.append(_Tried(index, label, (first[0], first[1]), (clicks[0], clicks[1])))
    return found


def _summary(tried: Sequence[_Tried]) -> Trial:
    clicks, first = _means([one.clicks for one in tried]), _means([one.first for one in tried])
    labels = sorted({one.label for one in tried})
    by_label = [[one for one in tried if one.label == label] for label in labels]
    rows = [
        LabelTrial(
            label, len(own), _means([one.first for one in own]), _means([one.clicks for one in own])
        )
        for label, own in zip(labels, by_label, strict=True)
    ]
    rows.sort(key=lambda row: -row.objects)
    images = len({one.image for one in tried})
    return Trial(images, clicks, first, _clustered_error(tried), tuple(rows))


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    before, after = np.asarray(pairs, np.float64).mean(0).tolist()
    return before, after


def _clustered_error(tried: Sequence[_Tried]) -> float:
    """Return the standard error of the mean difference; the objects of an image hang together."""
    differences: NDArray[np.float64] = np.array([one.clicks[0] - one.clicks[1] for one in tried])
    _, cluster = np.unique([one.image for one in tried], return_inverse=True)
    sums = np.bincount(cluster, weights=differences - differences.mean())
    images = len(sums)
    spread = images / max(images - 1, 1) * float(np.square(sums).sum())
    return float(np.sqrt(spread)) / len(differences)
