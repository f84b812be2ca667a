"""Evaluates two models on the same images: clicks per object, image by image, by MIST.

A failed object costs its own budget, not that of its whole image as in NCI. In an image of twenty
objects one nearly always fails, so a far better model could have the same NCI.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynamite.clicks import MAX_CLICKS
from training.data.sample import InstanceDataset, Sample
from training.evaluation.mist import mist_score, object_clicks
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import Record, evaluate
from training.evaluation.segmenter import Segmenter

SHOWN_CLICKS = 5
"""The IoU is also reported after this many clicks beyond the first one on each object."""


@dataclass(frozen=True)
class Judged:
    """One image under both models. Pairs hold the current model's figure and the candidate's.

    Attributes:
        objects: number of objects.
        clicks: clicks per object; a failed object costs its own budget.
        nci: clicks per object; a failed object costs the budget of the whole image.
        failed: objects that failed.
        iou: mean IoU after ``SHOWN_CLICKS`` clicks.
        records: the evaluations themselves.
    """

    dataset: InstanceDataset
    index: int
    sample_id: str
    objects: int
    clicks: tuple[float, float]
    nci: tuple[float, float]
    failed: tuple[int, int]
    iou: tuple[float, float]
    records: tuple[Record, Record]

    @property
    def sample(self) -> Sample:
        """The image itself, read each time because many may not fit into memory."""
        return self.dataset[self.index]


@dataclass(frozen=True)
class Comparison:
    """Both models on one set."""

    name: str
    images: tuple[Judged, ...]

    @property
    def clicks(self) -> NDArray[np.float64]:
        """Clicks per object, images × 2: the current model and the candidate."""
        return np.array([image.clicks for image in self.images], np.float64).reshape(-1, 2)

    @property
    def nci(self) -> NDArray[np.float64]:
        """NCI in the same shape."""
        return np.array([image.nci for image in self.images], np.float64).reshape(-1, 2)

    def summary(self) -> dict[str, float | int | str | None]:
        """Return the scores, ready for JSON; None where no image was judged."""
        clicks, nci = _means(self.clicks), _means(self.nci)
        ious = _means([image.iou for image in self.images])
        return {
            "set": self.name,
            "images": len(self.images),
            "objects": sum(image.objects for image in self.images),
            "clicks_current": clicks[0],
            "clicks_candidate": clicks[1],
            "nci_current": nci[0],
            "nci_candidate": nci[1],
            "failed_current": sum(image.failed[0] for image in self.images),
            "failed_candidate": sum(image.failed[1] for image in self.images),
            f"iou_after_{SHOWN_CLICKS}_current": ious[0],
            f"iou_after_{SHOWN_CLICKS}_candidate": ious[1],
        }


def _means(pairs: ArrayLike) -> tuple[float | None, float | None]:
    found = np.asarray(pairs, np.float64)
    if not found.size:
        return None, None
    current, candidate = found.mean(0).round(4).tolist()
    return current, candidate


def compare(
    models: tuple[Segmenter, Segmenter],
    dataset: InstanceDataset,
    *,
    budget: int,
    most: int,
    least: int,
    seconds: float,
    name: str,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Comparison:
    """Evaluate both models on up to ``most`` images.

    Args:
        models: the current model and the candidate.
        dataset: the images.
        budget: clicks per object before giving up.
        most: most images used.
        least: after ``seconds``, stop only when this many are done.
        seconds: no image is begun later than this.
        name: name of the comparison.
        report: called with the images done and those chosen.
    """
    plan = EvaluationPlan(clicks_per_object=budget)
    chosen = chosen_indices(dataset, most)
    started = time.monotonic()
    found: list[Judged] = []
    for index in chosen:
        if len(found) >= least and time.monotonic() - started > seconds:
            break
        sample = dataset[index]
        if 0 < len(sample.labels) <= MAX_CLICKS:
            records = [evaluate(one, dataset, plan, indices=[index])[0] for one in models]
            found.append(_judged(dataset, sample, records, budget))
        report(len(found), len(chosen))
    return Comparison(name, tuple(found))


def chosen_indices(dataset: InstanceDataset, most: int) -> list[int]:
    """Return the images to use, ordered by the digests of their ids.

    The choice is the same every time, and a set that grows keeps most of it.
    """

    def rank(index: int) -> bytes:
        return blake2b(dataset.sample_ids[index].encode(), digest_size=8).digest()

    return sorted(range(len(dataset)), key=rank)[:most]


def _judged(dataset: InstanceDataset, sample: Sample, records: list[Record], budget: int) -> Judged:
    clicks = [object_clicks(one.ious[-1], one.spent, clicks_per_object=budget) for one in records]
    scores = [mist_score([record.ious], clicks_per_object=budget) for record in records]
    ious = [float(np.nanmean(after_clicks(record.ious, SHOWN_CLICKS))) for record in records]
    return Judged(
        dataset,
        records[0].index,
        sample.sample_id,
        len(sample.labels),
        (clicks[0], clicks[1]),
        (scores[0].nci, scores[1].nci),
        (scores[0].nfo, scores[1].nfo),
        (ious[0], ious[1]),
        (records[0], records[1]),
    )


def after_clicks(ious_TN: NDArray[np.float64], clicks: int) -> Sequence[float]:
    """Return each object's IoU after ``clicks`` clicks beyond the first ones, or at the end."""
    row: Sequence[float] = ious_TN[min(clicks, len(ious_TN) - 1)].tolist()
    return row
