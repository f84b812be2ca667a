"""The interaction loop of all protocols: mark an object, segment, measure the IoUs, repeat."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynamite import ClickSet
from dynamite.clicks import MAX_CLICKS
from training.click_simulation import (
    SUPPRESSION_RADIUS,
    LabelMap,
    add_click,
    deepest_error,
    object_ious,
)
from training.distance_map import DistanceMap, Mask
from training.evaluation.gestures import Gesture
from training.evaluation.segmenter import OpenedImage
from training.evaluation.strategies import ANY_OBJECT, Strategy


@dataclass(frozen=True)
class Target:
    """What the annotator wants: N objects, and pixels that count neither way."""

    label_map: LabelMap  # H×W
    num_objects: int
    ignore: Mask  # H×W


@dataclass(frozen=True)
class Interaction:
    """The course of one interaction.

    ``ious`` holds the IoU of each of the N objects after each of T network calls: row 0 after the N
    first gestures, each further row after one more. ``spent`` counts the gestures per object: its
    first one and those made because of it, wherever they fell. A strategy that chooses no object
    adds nothing to it. ``first_label_map`` and ``label_map`` are the first and the last answer.
    """

    ious: NDArray[np.float64]  # T×N
    spent: NDArray[np.intp]  # N
    clicks: ClickSet
    first_label_map: LabelMap  # H×W
    label_map: LabelMap  # H×W
    seconds: NDArray[np.float64]  # T, of each call; NaN where the answer was kept


def interact(
    opened: OpenedImage,
    target: Target,
    *,
    strategy: Strategy,
    gesture: Gesture,
    budget: int,
    threshold: float,
    rng: np.random.Generator,
) -> Interaction:
    """Mark objects of ``target`` until all reach ``threshold`` or the click budget is spent.

    An object that is neither present nor predicted (IoU NaN) counts as finished, see
    docs/evaluation.md.

    Args:
        opened: the image, opened by the method under evaluation.
        target: the wanted objects.
        strategy: chooses the next object.
        gesture: how a region is marked.
        budget: most gestures, the first ones included.
        threshold: IoU to reach.
        rng: for gestures that draw.
    """
    clicks = gesture.first_clicks(target.label_map, target.num_objects, target.ignore, rng)
    valid_HW = ~target.ignore
    rows: list[NDArray[np.float64]] = []
    seconds: list[float] = []
    first_HW: LabelMap | None = None
    spent_N = np.ones(target.num_objects, np.intp)
    predicted_HW: LabelMap | None = None
    while True:
        start = time.perf_counter()
        answer_HW = opened.segment(clicks)
        is_new = answer_HW is not predicted_HW
        seconds.append(time.perf_counter() - start if is_new else np.nan)
        predicted_HW = answer_HW
        first_HW = answer_HW if first_HW is None else first_HW
        ious_N = (
            object_ious(predicted_HW, target.label_map, target.num_objects, valid_HW)
            if is_new
            else rows[-1]
        )
        rows.append(ious_N)
        spent = target.num_objects + len(rows) - 1
        if spent >= budget or not (ious_N < threshold).any():
            break
        chosen = strategy.choose(ious_N)
        error = _error(predicted_HW, target, chosen, clicks, valid_HW)
        points = gesture.mark(error, rng)
        if len(clicks) + len(points) > MAX_CLICKS:
            break
        for point in points:
            clicks = add_click(clicks, target.label_map, point)
        if chosen != ANY_OBJECT:
            spent_N[chosen] += 1
    return Interaction(np.stack(rows), spent_N, clicks, first_HW, predicted_HW, np.array(seconds))


def _error(
    predicted_HW: LabelMap, target: Target, chosen: int, clicks: ClickSet, valid_HW: Mask
) -> DistanceMap:
    """Return the error to mark: the chosen object's deepest one, or all wrong labels."""
    if chosen == ANY_OBJECT:
        wrong = DistanceMap.of((predicted_HW != target.label_map) & valid_HW)
        return wrong.without(clicks, SUPPRESSION_RADIUS)
    return deepest_error(predicted_HW, target.label_map, chosen, valid_HW, avoid=clicks)
