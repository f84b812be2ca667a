"""NoC, the number of clicks one object at a time needs (docs/evaluation.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLICKS = 20
"""The budget of one object."""

THRESHOLD = 0.90
_LOWEST = 0.80
_STEP = 0.05


@dataclass(frozen=True)
class NocScore:
    """``noc[q]``: mean clicks to IoU q; ``failures[q]``: objects that never reached it.

    ``iou_1`` is the mean IoU after one click.
    """

    noc: dict[float, float]
    failures: dict[float, int]
    iou_1: float
    samples: int


def thresholds_up_to(highest: float) -> list[float]:
    """0.80, 0.85, … up to ``highest``, which is always among them."""
    steps = int((highest - _LOWEST) / _STEP + 1e-9)
    below = [round(_LOWEST + step * _STEP, 2) for step in range(steps + 1)]
    return below if below[-1] == highest else [*below, highest]


def noc_score(
    ious: Sequence[NDArray[np.float64]], *, threshold: float = THRESHOLD, budget: int = CLICKS
) -> NocScore:
    """The score of a data set; a failure has cost ``budget`` clicks, means have two decimals.

    Args:
        ious: for each object the T IoUs after 1, 2, … clicks, until ``threshold`` or ``budget``.
        threshold: the highest of the thresholds, which ended the clicking.
        budget: clicks per object.
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
