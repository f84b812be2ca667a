"""A method over a data set, as planned."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from training.evaluation.plan import SEED, Plan
from training.evaluation.segmenter import Segmenter
from training.evaluation.strategies import STRATEGIES

_SUBSTITUTION_SEED = 42


@dataclass(frozen=True)
class Record:
    """The outcome on one sample, or on object ``instance`` of it; the answer is packed as PNG."""

    index: int
    source: int  # where the sample came from: `index`, unless substituted
    sample_id: str
    instance: int | None
    ious: NDArray[np.float64]  # T×N
    spent: NDArray[np.intp]  # N
    clicks: ClickSet
    answer_png: bytes
    seconds: NDArray[np.float64]  # T, NaN where an answer was the one before

    @property
    def name(self) -> str:
        """The sample's id, with the object's number where objects are separate."""
        return self.sample_id if self.instance is None else f"{self.sample_id}#{self.instance}"

    @property
    def answer(self) -> LabelMap:
        """The last label map, H×W."""
        packed = np.frombuffer(self.answer_png, np.uint8)
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED), np.int32) - 1


def evaluate(
    segmenter: Segmenter,
    dataset: InstanceDataset,
    plan: Plan,
    *,
    indices: Sequence[int] | None = None,
    on_sample: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Run ``plan`` over the samples at ``indices`` (all of them if None), in order.

    One ``random.Random`` seeded once serves the strategies of all samples, as in the reference;
    gestures that draw have a generator per sample.
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
    """Any sample that has objects, and its index."""
    empty: set[int] = set()
    while len(empty) < len(dataset):
        source = rng.randrange(len(dataset))
        sample = dataset[source]
        if sample.labels:
            return source, sample
        empty.add(source)
    raise DatasetError(f"{dataset.name}: no image has an object to put in place of an empty one")


def _evaluate_sample(
    segmenter: Segmenter, sample: Sample, index: int, plan: Plan, rng: Random
) -> list[Record]:
    """One record for the image, or with ``plan.single`` one for each of its objects."""
    targets = list(_targets(sample, plan.single))
    if not targets:
        return []
    records = []
    opened = segmenter.open(sample.image)
    for instance, target in targets:
        budget = plan.per_object * target.num_objects
        if target.num_objects > MAX_CLICKS:
            raise InvalidInputError(
                f"{sample.sample_id}: {target.num_objects} objects are more than {MAX_CLICKS}"
            )
        strategy = STRATEGIES[plan.strategy](
            target.num_objects, plan.threshold, plan.per_object, rng
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
            )
        )
    return records


def _targets(sample: Sample, single: bool) -> Iterator[tuple[int | None, Target]]:
    """All objects together, or each that is visible on its own, the others being background."""
    if not single:
        if sample.labels:
            yield None, Target(sample.instances, len(sample.labels), sample.ignore)
        return
    for instance in np.flatnonzero(sample.areas):
        alone = np.where(sample.instances == instance, 0, -1).astype(np.int32)
        yield int(instance), Target(alone, 1, sample.ignore)
