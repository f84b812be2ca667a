"""The strategies of MIST: which object the annotator clicks next (MODEL_SPEC 10.4).

A strategy is made once per image. It is given the IoU of each object, NaN for an object that is
neither present nor predicted, and chooses an object below the threshold, or ``ANY_OBJECT``.
"""

from collections.abc import Callable
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IoUs = NDArray[np.float64]

ANY_OBJECT = -1
"""The choice of ``max_dt``: the deepest error, of whichever object."""

MAX_SERIES = 10
"""Consecutive clicks after which ``round_robin`` moves on to another object."""


class Strategy(Protocol):
    """Chooses the objects of one image."""

    def choose(self, ious_N: IoUs) -> int:
        """Return the object to click next, or ``ANY_OBJECT``; one is below the threshold."""


StrategyFactory = Callable[[int, float, int, Random], Strategy]
"""Takes the number of objects, the threshold, the clicks per object τ and a generator."""


class Best:
    """Chooses the object with the highest IoU below the threshold."""

    def __init__(
        self, _count: int, threshold: float, _clicks_per_object: int, _rng: Random
    ) -> None:
        self._threshold = threshold

    def choose(self, ious_N: IoUs) -> int:
        """Return the first object with the highest IoU."""
        return _highest(ious_N, ious_N < self._threshold)


class Worst:
    """Chooses the object with the lowest IoU."""

    def __init__(
        self, _count: int, threshold: float, _clicks_per_object: int, _rng: Random
    ) -> None:
        self._threshold = threshold

    def choose(self, ious_N: IoUs) -> int:
        """Return the first object with the lowest IoU."""
        return _lowest(ious_N, ious_N < self._threshold)


class RandomOrder:
    """Chooses an object at random: the image's order is shuffled again before each click."""

    def __init__(self, count: int, threshold: float, _clicks_per_object: int, rng: Random) -> None:
        self._threshold = threshold
        self._order = list(range(count))
        self._rng = rng

    def choose(self, ious_N: IoUs) -> int:
        """Return the first object of the order that is below the threshold."""
        self._rng.shuffle(self._order)
        return next(index for index in self._order if ious_N[index] < self._threshold)


class WorstWithLimit:
    """Chooses the worst object with fewer than τ clicks; if all have had τ, the best one.

    A click counts for the chosen object, whatever object the pixel belongs to.
    """

    def __init__(self, count: int, threshold: float, clicks_per_object: int, _rng: Random) -> None:
        self._threshold = threshold
        self._limit = clicks_per_object
        self._spent_N = np.ones(count, np.intp)

    def choose(self, ious_N: IoUs) -> int:
        """Return the worst object within its limit."""
        below_N = ious_N < self._threshold
        within_N = below_N & (self._spent_N < self._limit)
        chosen = _lowest(ious_N, within_N) if within_N.any() else _highest(ious_N, below_N)
        self._spent_N[chosen] += 1
        return chosen


class RoundRobin:
    """Chooses one object until it is good or has had ``MAX_SERIES`` clicks, then a random other.

    An object's first click counts in its first series. Moving on to an object sets the counts of
    all others to 0. When no object is left, all counts start again.
    """

    def __init__(self, count: int, threshold: float, _clicks_per_object: int, rng: Random) -> None:
        self._threshold = threshold
        self._series_N = np.ones(count, np.intp)
        self._current: int | None = None
        self._rng = rng

    def choose(self, ious_N: IoUs) -> int:
        """Return the current object, or the next one."""
        open_N = (ious_N < self._threshold) & (self._series_N < MAX_SERIES)
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
    """Chooses no object: the deepest region of wrong labels is clicked."""

    def __init__(
        self, _count: int, _threshold: float, _clicks_per_object: int, _rng: Random
    ) -> None:
        pass

    def choose(self, ious_N: IoUs) -> int:  # noqa: ARG002
        """Return ``ANY_OBJECT``."""
        return ANY_OBJECT


STRATEGIES: dict[str, StrategyFactory] = {
    "best": Best,
    "worst": Worst,
    "random": RandomOrder,
    "max_dt": DeepestError,
    "round_robin": RoundRobin,
    "wlb": WorstWithLimit,
}


def _highest(ious_N: IoUs, among_N: NDArray[np.bool_]) -> int:
    return int(np.where(among_N, ious_N, -np.inf).argmax())


def _lowest(ious_N: IoUs, among_N: NDArray[np.bool_]) -> int:
    return int(np.where(among_N, ious_N, np.inf).argmin())
