"""Validation: MIST on the held-out images (MODEL_SPEC 10.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

import torch

from dynamite import Predictor
from dynamite.network.model import DynaMITE
from training.config import ValidationConfig
from training.data.catalog import Subset
from training.evaluation.mist import mist_score
from training.evaluation.model_segmenter import ModelSegmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.loop.distributed import Processes


@dataclass(frozen=True)
class Score:
    """``nci`` clicks per object (lower is better), mean ``iou``, share of ``failed`` objects."""

    nci: float
    iou: float
    failed: float

    def as_metrics(self) -> dict[str, float]:
        """Return the scores by their names in ``metrics.jsonl``."""
        return {f"validation_{name}": value for name, value in vars(self).items()}


def validate(
    model: DynaMITE, sets: Sequence[Subset], config: ValidationConfig, processes: Processes
) -> Score:
    """Score a model by MIST, strategy "random", on up to ``config.images`` images.

    Images are taken from the sets in turn. Every image has its own seed, so any number of processes
    gives the same score.
    """
    segmenter = ModelSegmenter(Predictor(model))
    plan = EvaluationPlan(threshold=config.iou)
    images = _taking_turns(sets, config.images)
    totals = torch.zeros(len(images), 5, dtype=torch.float64)
    for position in range(processes.rank, len(images), processes.count):
        dataset, index = images[position]
        records = evaluate(segmenter, dataset, plan, indices=[index])
        if records:
            score = mist_score([record.ious for record in records], threshold=config.iou)
            totals[position] = torch.tensor(
                [1, score.nci, score.iou, score.nfo, score.objects], dtype=torch.float64
            )
    # Each row is set in one process only, so mean × number of processes is their sum.
    rows = processes.mean(totals.to(processes.device)).cpu() * processes.count
    count, nci, iou, failed, objects = rows.sum(0).tolist()
    return Score(nci / count, iou / count, failed / objects)


def _taking_turns(sets: Sequence[Subset], most: int) -> list[tuple[Subset, int]]:
    columns = [[(subset, index) for index in range(len(subset))] for subset in sets]
    rounds = chain.from_iterable(zip_longest(*columns))
    return list(islice((place for place in rounds if place is not None), most))
