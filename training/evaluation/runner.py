"""Runs a method over a data set according to a plan."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import ClickSet
from dynamite.clicks import MAX_CLICKS
from dynamite.errors import InvalidInputError
from training.click_simulation import LabelMap
from training.data.problems import DatasetError
from training.data.sample import InstanceDataset, Sample
from training.evaluation.gestures import GESTURES
from training.evaluation.interaction import Target, interact
from training.evaluation.mask_quality import MaskQuality, mask_quality
from training.evaluation.plan import SEED, EvaluationPlan
from training.evaluation.segmenter import Segmenter
from training.evaluation.strategies import STRATEGIES

_SUBSTITUTION_SEED = 42
"""Seed of the generator that replaces empty images."""


@dataclass(frozen=True)
class Record:
    """The outcome on one sample, or on its object ``instance``; the answer is stored as PNG.

    ``first`` and ``last`` say how the masks look after the first gestures, and at the end.
    """

    index: int
    source: int  # index of the sample used: ``index``, unless it was replaced
    sample_id: str
    instance: int | None
    ious: NDArray[np.float64]  # T×N
    spent: NDArray[np.intp]  # N
    clicks: ClickSet
    answer_png: bytes
    seconds: NDArray[np.float64]  # T, NaN where an answer was kept
    first: MaskQuality
    last: MaskQuality

    @property
    def name(self) -> str:
        """The sample's id, with the object's number if objects were segmented one at a time."""
        return self.sample_id if self.instance is None else f"{self.sample_id}#{self.instance}"

    @property
    def answer(self) -> LabelMap:
        """The last label map, H×W."""
        packed = np.frombuffer(self.answer_png, np.uint8)
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED), np.int32) - 1


def evaluate(
    segmenter: Segmenter,
    dataset: InstanceDataset,
    plan: EvaluationPlan,
    *,
    indices: Sequence[int] | None = None,
    on_sample: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Run ``plan`` over the samples at ``indices`` (all of them if None), in order.

    The strategies of all samples share one ``random.Random``, as in the reference. Gestures that
    draw have a generator per sample.

    Args:
        segmenter: the method.
        dataset: the samples.
        plan: what the annotator does.
        indices: the samples to use.
        on_sample: called after each sample.

    Returns:
        A record per image, or per object with ``plan.single_object``. Images without objects have
        none unless they are substituted.

    Raises:
        InvalidInputError: an image has more objects than a model takes clicks.
    """
    rng, substitutes = Random(SEED + plan.seed), Random(_SUBSTITUTION_SEED)  # noqa: S311
    records: list[Record] = []
    for index in range(len(dataset)) if indices is None else indices:
        source, sample = index, dataset[index]
        if plan.substitute_empty and not sample.labels:
            source, sample = _substitute(dataset, substitutes)
        found = _evaluate_sample(segmenter, sample, index, plan, rng)
        records.extend(replace(record, source=source) for record in found)
        on_sample()
    return records


def _substitute(dataset: InstanceDataset, rng: Random) -> tuple[int, Sample]:
    """Draw a sample that has objects; return its index too."""
    empty: set[int] = set()
    while len(empty) < len(dataset):
        source = rng.randrange(len(dataset))
        sample = dataset[source]
        if sample.labels:
            return source, sample
        empty.add(source)
    raise DatasetError(f"{dataset.name}: no image has an object that could replace an empty one")


def _evaluate_sample(
    segmenter: Segmenter, sample: Sample, index: int, plan: EvaluationPlan, rng: Random
) -> list[Record]:
    """Return one record for the image, or one per object with ``plan.single_object``."""
    targets = list(_targets(sample, plan.single_object))
    if not targets:
        return []
    records = []
    opened = segmenter.open(sample.image)
    for instance, target in targets:
        budget = plan.clicks_per_object * target.num_objects
        if target.num_objects > MAX_CLICKS:
            raise InvalidInputError(
                f"{sample.sample_id}: {target.num_objects} objects are more than {MAX_CLICKS}"
            )
        strategy = STRATEGIES[plan.strategy](
            target.num_objects, plan.threshold, plan.clicks_per_object, rng
        )
        outcome = interact(
            opened,
            target,
            strategy=strategy,
            gesture=GESTURES[plan.gesture],
            budget=budget,
            threshold=plan.threshold,
            rng=np.random.default_rng([SEED + plan.seed, index, instance or 0]),
        )
        measure = partial(
            mask_quality,
            target_HW=target.label_map,
            num_objects=target.num_objects,
            valid=~target.ignore,
        )
        _, png = cv2.imencode(".png", (outcome.label_map + 1).astype(np.uint16))
        records.append(
            Record(
                index=index,
                source=index,
                sample_id=sample.sample_id,
                instance=instance,
                ious=outcome.ious,
                spent=outcome.spent,
                clicks=outcome.clicks,
                answer_png=png.tobytes(),
                seconds=outcome.seconds,
                first=measure(outcome.first_label_map),
                last=measure(outcome.label_map),
            )
        )
    return records


def _targets(sample: Sample, single_object: bool) -> Iterator[tuple[int | None, Target]]:
    """Yield all objects together, or each visible object alone with the others as background."""
    if not single_object:
        if sample.labels:
            yield None, Target(sample.label_map, len(sample.labels), sample.ignore)
        return
    for instance in np.flatnonzero(sample.areas):
        alone = np.where(sample.label_map == instance, 0, -1).astype(np.int32)
        yield int(instance), Target(alone, 1, sample.ignore)
