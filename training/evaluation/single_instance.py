"""The scores of single-instance evaluation: NoC, the number of clicks (MODEL_SPEC 10.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLICK_BUDGET = 20
"""Maximum number of clicks on one object."""

IOU_THRESHOLD = 0.90
"""IoU at which the clicking ends."""

_LOWEST = 0.80
_STEP = 0.05


@dataclass(frozen=True)
class NocScore:
    """Scores of a data set.

    ``noc[q]`` is the mean number of clicks to reach IoU q, ``failures[q]`` the number of objects
    that never reached it, ``iou_1`` the mean IoU after one click.
    """

    noc: dict[float, float]
    failures: dict[float, int]
    iou_1: float
    samples: int


def thresholds_up_to(highest: float) -> list[float]:
    """Return 0.80, 0.85, … up to ``highest``, which is always included."""
    steps = int((highest - _LOWEST) / _STEP + 1e-9)
    below = [round(_LOWEST + step * _STEP, 2) for step in range(steps + 1)]
    return below if below[-1] == highest else [*below, highest]


def noc_score(
    ious: Sequence[NDArray[np.float64]],
    *,
    threshold: float = IOU_THRESHOLD,
    budget: int = CLICK_BUDGET,
) -> NocScore:
    """Compute the scores of a data set; a failure counts as ``budget`` clicks.

    Means are rounded to two decimals.

    Args:
        ious: for each object the T IoUs after 1, 2, … clicks, until ``threshold`` or ``budget``.
        threshold: the highest threshold, at which the clicking ended.
        budget: click budget of an object.
    """
    noc, failures = {}, {}
    for quality in thresholds_up_to(threshold):
        reached = [np.flatnonzero(ious_T >= quality) for ious_T in ious]
        noc[quality] = round(
            float(np.mean([hits[0] + 1 if hits.size else budget for hits in reached])), 2
        )
        failures[quality] = sum(not hits.size for hits in reached)
    first = float(np.mean([ious_T[0] for ious_T in ious]))
    return NocScore(noc, failures, first, len(ious))
