"""Which object a simulated annotator clicks next: the strategies of MIST (docs/evaluation.md).

A strategy is made once per image. It sees the IoU of each object (NaN for one that is neither there
nor predicted) and names an object below the threshold, or ``ANY_OBJECT``.
"""

from collections.abc import Callable
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IoUs = NDArray[np.float64]

ANY_OBJECT = -1
"""The choice of ``max_dt``: wherever a label is wrong, whosever it is."""

SERIES = 10
"""Consecutive clicks after which ``round_robin`` leaves an object."""


class Strategy(Protocol):
    """The choices for one image."""

    def choose(self, ious_N: IoUs) -> int:
        """The object to click next; at least one is below the threshold."""


StrategyFactory = Callable[[int, float, int, Random], Strategy]
"""From the number of objects, the threshold, the clicks per object τ and a generator."""


class Best:
    """The object that is nearest to being good."""

    def __init__(self, _count: int, threshold: float, _per_object: int, _rng: Random) -> None:
        self._threshold = threshold

    def choose(self, ious_N: IoUs) -> int:
        """The first of the highest IoU."""
        return _highest(ious_N, ious_N < self._threshold)


class Worst:
    """The object that is farthest from being good."""

    def __init__(self, _count: int, threshold: float, _per_object: int, _rng: Random) -> None:
        self._threshold = threshold

    def choose(self, ious_N: IoUs) -> int:
        """The first of the lowest IoU."""
        return _lowest(ious_N, ious_N < self._threshold)


class Drawn:
    """Any object below the threshold: one order per image, shuffled anew before each click."""

    def __init__(self, count: int, threshold: float, _per_object: int, rng: Random) -> None:
        self._threshold = threshold
        self._order = list(range(count))
        self._rng = rng

    def choose(self, ious_N: IoUs) -> int:
        """The first in the order."""
        self._rng.shuffle(self._order)
        return next(index for index in self._order if ious_N[index] < self._threshold)


class WorstWithLimit:
    """The worst object that has had fewer than τ clicks; when all had them, the best one.

    A click counts for the object that was chosen, whoever owns the pixel.
    """

    def __init__(self, count: int, threshold: float, per_object: int, _rng: Random) -> None:
        self._threshold = threshold
        self._limit = per_object
        self._spent_N = np.ones(count, np.intp)

    def choose(self, ious_N: IoUs) -> int:
        """The worst within its limit."""
        below_N = ious_N < self._threshold
        within_N = below_N & (self._spent_N < self._limit)
        chosen = _lowest(ious_N, within_N) if within_N.any() else _highest(ious_N, below_N)
        self._spent_N[chosen] += 1
        return chosen


class RoundRobin:
    """One object until it is good or has had ``SERIES`` clicks running, then any other one.

    The first click of an object counts in its first series. Taking up another object sets the
    counts of all the others to 0; when no object is left, all counts start again.
    """

    def __init__(self, count: int, threshold: float, _per_object: int, rng: Random) -> None:
        self._threshold = threshold
        self._series_N = np.ones(count, np.intp)
        self._current: int | None = None
        self._rng = rng

    def choose(self, ious_N: IoUs) -> int:
        """The current object, or the next one."""
        open_N = (ious_N < self._threshold) & (self._series_N < SERIES)
        if self._current is None or not open_N[self._current]:
            self._current = self._take_up(ious_N, open_N)
        self._series_N[self._current] += 1
        return self._current

    def _take_up(self, ious_N: IoUs, open_N: NDArray[np.bool_]) -> int:
        if not open_N.any():
            self._series_N[:] = 1
            open_N = ious_N < self._threshold
        taken = self._rng.choice(np.flatnonzero(open_N).tolist())
        series = self._series_N[taken]
        self._series_N[:] = 0
        self._series_N[taken] = series
        return int(taken)


class DeepestError:
    """No object: the largest region of wrong labels, whosever it is."""

    def __init__(self, _count: int, _threshold: float, _per_object: int, _rng: Random) -> None:
        pass

    def choose(self, ious_N: IoUs) -> int:  # noqa: ARG002
        """Always ``ANY_OBJECT``."""
        return ANY_OBJECT


STRATEGIES: dict[str, StrategyFactory] = {
    "best": Best,
    "worst": Worst,
    "random": Drawn,
    "max_dt": DeepestError,
    "round_robin": RoundRobin,
    "wlb": WorstWithLimit,
}


def _highest(ious_N: IoUs, among_N: NDArray[np.bool_]) -> int:
    return int(np.where(among_N, ious_N, -np.inf).argmax())


def _lowest(ious_N: IoUs, among_N: NDArray[np.bool_]) -> int:
    return int(np.where(among_N, ious_N, np.inf).argmin())
