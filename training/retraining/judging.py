"""Two models on the same images: clicks per object, image by image, by MIST.

A failed object costs its own budget, not its whole image's as in NCI: where an image has twenty
objects one nearly always fails, and a far better model would have the NCI of the one before.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynamite.clicks import MAX_CLICKS
from training.data.sample import InstanceDataset, Sample
from training.evaluation.mist import mist_score, object_clicks
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import Record, evaluate
from training.evaluation.segmenter import Segmenter

SHOWN_CLICKS = 5
"""The IoU is also given after this many clicks beyond one on each object."""


@dataclass(frozen=True)
class Judged:
    """One image under both models; pairs are of the current one and the candidate.

    ``clicks`` per object with failures counted by object, ``nci`` with failures counted by image.
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
        """The image itself, read anew: many of them may not fit into memory."""
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
        """The same with failures counted by image."""
        return np.array([image.nci for image in self.images], np.float64).reshape(-1, 2)

    def summary(self) -> dict[str, float | int | str | None]:
        """The scores, ready for JSON; None where no image was judged."""
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
    """Both models on up to ``most`` images, the same ones every time, click by click alike.

    Images are taken in the order of their ids' digests, so that a set that grows keeps most of
    its choice. No image is begun after ``seconds``, once ``least`` are done.
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
    """Which images are used."""
    from hashlib import blake2b  # noqa: PLC0415

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
    """The objects' IoUs after so many clicks beyond the first ones, or at the end if earlier."""
    row: Sequence[float] = ious_TN[min(clicks, len(ious_TN) - 1)].tolist()
    return row
