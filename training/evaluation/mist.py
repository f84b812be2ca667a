"""The scores of MIST, the multi-instance interactive segmentation task (MODEL_SPEC 10.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLICKS_PER_OBJECT = 10
"""τ: the click budget of an image is τ times its number of objects."""

IOU_THRESHOLD = 0.85
"""IoU that an object must reach."""


@dataclass(frozen=True)
class MistScore:
    """Scores of a data set.

    ``nci`` is the number of clicks per object, mean over images; ``nfo`` the number of failed
    objects; ``nfi`` the number of images with a failed object; ``iou`` the mean IoU.
    """

    nci: float
    nfo: int
    nfi: int
    iou: float
    images: int
    objects: int


def mist_score(
    ious: Sequence[NDArray[np.float64]],
    *,
    threshold: float = IOU_THRESHOLD,
    clicks_per_object: int = CLICKS_PER_OBJECT,
) -> MistScore:
    """Compute the scores of a data set.

    Args:
        ious: for each image the T×N IoUs of its N objects, row 0 after one click on each object,
            each further row after one more click.
        threshold: the IoU an object must reach.
        clicks_per_object: τ; an image that failed has spent τ·N clicks.
    """
    final = [ious_TN[-1] for ious_TN in ious]
    failed = np.array([int((last_N < threshold).sum()) for last_N in final])
    sizes = np.array([len(last_N) for last_N in final])
    made = np.array([len(last_N) + len(rows) - 1 for last_N, rows in zip(final, ious, strict=True)])
    clicks = np.where(failed > 0, clicks_per_object * sizes, made)
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
    threshold: float = IOU_THRESHOLD,
    clicks_per_object: int = CLICKS_PER_OBJECT,
) -> float:
    """Return the clicks per object of one image, charging only failed objects their budget.

    NCI charges τ for every object of an image in which one failed. In crowded images nearly always
    one fails, so NCI cannot tell methods apart there. The two measures agree where no object fails
    or takes more than τ clicks. This measure is ours, not the paper's.

    Args:
        ious_N: the final IoUs.
        spent_N: gestures per object (``Interaction.spent``).
        threshold: the IoU an object must reach.
        clicks_per_object: τ.
    """
    cost_N = np.where(ious_N < threshold, clicks_per_object, np.minimum(spent_N, clicks_per_object))
    return float(cost_N.mean())


def mean_iou(ious_N: NDArray[np.float64]) -> float:
    """Return the mean over objects that are present or predicted; NaN if there are none."""
    counted = ious_N[~np.isnan(ious_N)]
    return float(counted.mean()) if counted.size else float("nan")
