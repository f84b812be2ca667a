"""Segments many clicks in several short passes, so that the device is free in between.

The network segments all objects of a pass jointly, and its time grows with their number. In one
pass, a picture full of seeds would hold the device for many clicks of others.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet
from dynamite.predict.predictor import Segmentation

MOST_OBJECTS = 64
"""Objects of one pass. Fewer find fewer objects (docs/more-like-this.md)."""

MOST_SEEDS = MOST_OBJECTS // 2
"""Seeds of a pass where one does not hold all; the rest of it are the clicks nearest to them."""

NOTHING = np.int16(-1)

Segment = Callable[[ClickSet], Segmentation]
"""Segments clicked objects of an image jointly, at the image's own size."""


def segment_in_passes(
    seeds: Sequence[Click], others: Sequence[Click], segment: Segment
) -> Segmentation:
    """Return the disjoint masks and scores of the objects under ``seeds``.

    What one pass holds is segmented in one. Otherwise seeds are divided into groups that lie
    together, and each group is segmented with the clicks nearest to it, so that the network sees
    whose pixels its neighbors are. Where two passes claim a pixel, the earlier one keeps it.

    Args:
        seeds: one click in each object, at least one.
        others: clicks on objects that may take pixels and are not asked for.
        segment: runs one pass.
    """
    if len(seeds) + len(others) <= MOST_OBJECTS:
        found = _pass([*seeds, *others], segment)
        whole = np.where(found.label_map < len(seeds), found.label_map, NOTHING)
        return Segmentation(whole, found.scores[: len(seeds)])
    clicks = [*seeds, *others]
    places = np.array([(click.x, click.y) for click in clicks])
    label_map: NDArray[np.int16] = np.array(NOTHING)
    scores = np.zeros(len(seeds), np.float32)
    for group in _groups(np.arange(len(seeds)), places):
        found = _pass([clicks[place] for place in _with_nearest(group, places)], segment)
        table = np.full(MOST_OBJECTS + 1, NOTHING)
        table[1 : len(group) + 1] = group
        label_map = np.where(label_map == NOTHING, table[found.label_map + 1], label_map)
        scores[group] = found.scores[: len(group)]
    return Segmentation(label_map, scores)


def _pass(clicks: Sequence[Click], segment: Segment) -> Segmentation:
    """Segment clicks, whose times count up from 0 in each pass."""
    return segment(ClickSet([[replace(click, time=i)] for i, click in enumerate(clicks)]))


def _groups(seeds: NDArray[np.intp], places: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Divide seeds across their longer side until each group fits into a pass."""
    count = -(-len(seeds) // MOST_SEEDS)
    if count == 1:
        return [seeds]
    axis = int(np.ptp(places[seeds], axis=0).argmax())
    ordered = seeds[np.argsort(places[seeds, axis], kind="stable")]
    middle = len(ordered) * (count // 2) // count
    return [*_groups(ordered[:middle], places), *_groups(ordered[middle:], places)]


def _with_nearest(group: NDArray[np.intp], places: NDArray[np.float64]) -> list[int]:
    """Return a group and the clicks nearest to one of it, as many as a pass still holds."""
    rest = np.setdiff1d(np.arange(len(places)), group)
    apart = np.square(places[rest, None] - places[None, group]).sum(-1).min(1)
    nearest = rest[np.argsort(apart, kind="stable")[: MOST_OBJECTS - len(group)]]
    return [*group.tolist(), *nearest.tolist()]
