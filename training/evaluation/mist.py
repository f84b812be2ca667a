"""The scores of MIST, the multi-instance segmentation task (docs/evaluation.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLICKS_PER_OBJECT = 10
"""τ: the budget of an image is τ clicks for each of its objects."""

THRESHOLD = 0.85


@dataclass(frozen=True)
class MistScore:
    """``nci`` clicks per object, ``nfo`` failed objects, ``nfi`` images with one, mean ``iou``."""

    nci: float
    nfo: int
    nfi: int
    iou: float
    images: int
    objects: int


def mist_score(
    ious: Sequence[NDArray[np.float64]],
    *,
    threshold: float = THRESHOLD,
    per_object: int = CLICKS_PER_OBJECT,
) -> MistScore:
    """The score of a data set.

    Args:
        ious: for each image the T×N IoUs of its N objects, row 0 after one click on each object,
            each further row after one more click.
        threshold: the IoU an object must reach.
        per_object: τ; an image that failed has spent τ·N clicks.
    """
    final = [ious_TN[-1] for ious_TN in ious]
    failed = np.array([int((last_N < threshold).sum()) for last_N in final])
    sizes = np.array([len(last_N) for last_N in final])
    made = np.array([len(last_N) + len(rows) - 1 for last_N, rows in zip(final, ious, strict=True)])
    clicks = np.where(failed > 0, per_object * sizes, made)
    return MistScore(
        nci=float(np.mean(clicks / sizes)),
        nfo=int(failed.sum()),
        nfi=int((failed > 0).sum()),
        iou=float(np.nanmean([mean_iou(last_N) for last_N in final])),
        images=len(final),
        objects=int(sizes.sum()),
    )


def object_clicks(
    ious_N: NDArray[np.float64],
    spent_N: NDArray[np.intp],
    *,
    threshold: float = THRESHOLD,
    per_object: int = CLICKS_PER_OBJECT,
) -> float:
    """Clicks per object of one image, where a failed object costs its own budget and no other's.

    NCI charges an image with one failed object τ for all of them; in crowds, where nearly every
    image has one, it cannot tell methods apart. Where no object fails, or takes more than τ, both
    are the same. Ours, not the paper's.

    Args:
        ious_N: the final IoUs.
        spent_N: what each object took (``Interaction.spent``).
        threshold: the IoU an object must reach.
        per_object: τ.
    """
    cost_N = np.where(ious_N < threshold, per_object, np.minimum(spent_N, per_object))
    return float(cost_N.mean())


def mean_iou(ious_N: NDArray[np.float64]) -> float:
    """The mean over the objects that are there or predicted; NaN if there is none."""
    counted = ious_N[~np.isnan(ious_N)]
    return float(counted.mean()) if counted.size else float("nan")
