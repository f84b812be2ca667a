"""Tries a memory on an image that it has not learned from: clicks needed with it and without."""

import numpy as np

from dynamite import Predictor
from dynamite.network.model import DynaMITE
from training.data.sample import Sample, SampleList
from training.evaluation.model_segmenter import ModelSegmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.memory.evidence import Outcome, outcome_of
from training.memory.examples import with_at_most

BUDGET = 6
"""Clicks on an object before it counts as failed: people give up soon, and trials must be quick."""

MAX_OBJECTS = 8
"""Most objects tried of an image, drawn; a crowd would take minutes."""


def try_memory(
    model: DynaMITE, adapted: DynaMITE, sample: Sample, rng: np.random.Generator
) -> Outcome:
    """Let a simulated annotator segment an image, all objects together, without memory and with it.

    Args:
        model: the network without memory.
        adapted: the network with it.
        sample: the image, with an object; its id names the outcome.
        rng: draws the objects of a crowd.
    """
    chosen = with_at_most(sample, MAX_OBJECTS, rng)
    plan = EvaluationPlan(clicks_per_object=BUDGET)
    records = [
        evaluate(ModelSegmenter(Predictor(one)), SampleList("accepted", [chosen]), plan)[0]
        for one in (model, adapted)
    ]
    first = [np.nan_to_num(record.ious[0], nan=1.0).tolist() for record in records]
    clicks = [
        np.where(
            record.ious[-1] < plan.threshold, BUDGET, np.minimum(record.spent, BUDGET)
        ).tolist()
        for record in records
    ]
    return outcome_of(
        sample.sample_id,
        chosen.labels,
        [(before, after) for before, after in zip(*first, strict=True)],
        [(float(before), float(after)) for before, after in zip(*clicks, strict=True)],
    )
