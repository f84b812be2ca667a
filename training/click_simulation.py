"""Clicks of a simulated annotator.

Clicks of training are random (docs/network.md, 10); those of evaluation fall in the middle of an
error (docs/evaluation.md). A label map is an integer array H×W: −1 none, i object i.
"""

from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Click, ClickSet
from dynamite.errors import InvalidInputError
from training.distance_map import DistanceMap, Mask, Point, draw_pixels

LabelMap = NDArray[np.integer]

SUPPRESSION_RADIUS = 5
"""Evaluation does not click within this many pixels of earlier clicks (docs/evaluation.md)."""

_EXTRA_CLICKS = 5
"""Maximum number of clicks on an object after its first one."""
_BACKGROUND_CLICKS = 6
"""Maximum number of initial clicks on the background."""
_NO_BACKGROUND_CLICKS = 0.2
"""Probability that the background gets no initial clicks."""
_DECAY = 0.7
"""Probability of k + 1 extra clicks relative to k."""
_INNER = 1.7
"""The first click lies deeper than an object's depth divided by this."""
_STRAY = 10
"""The same for a stray click."""
_CORRECTED_OBJECTS = 15
"""Maximum number of objects of an image that get corrective clicks in a round."""
_GOOD_IOU = 0.9
"""Objects with at least this IoU get no corrective clicks."""
_TWO_CLICKS = 0.2
"""Probability that an object gets two corrective clicks, not one."""


def initial_clicks(
    target_HW: LabelMap,
    num_objects: int,
    rng: np.random.Generator,
    valid: Mask | None = None,
    stray: float = 0.0,
) -> ClickSet:
    """Draw the first clicks of a training image (docs/network.md, 10).

    Each object gets one to six clicks, the background up to six. An object's first click falls in
    its inner part. People do not aim at the middle, so for a share ``stray`` of the objects it
    falls anywhere deeper than a tenth of the object's depth.

    Args:
        target_HW: label map of the objects.
        num_objects: number of objects N.
        rng: makes all choices.
        valid: pixels that may be clicked (no padding, no ignored pixels); None: all.
        stray: share of the objects with a stray first click.

    Returns:
        The clicks, with time stamps object by object and the background last.

    Raises:
        InvalidInputError: an object has no valid pixel.
    """
    label_HW = _labels_of_valid(target_HW, valid)
    objects = []
    for index in range(num_objects):
        mask_HW = label_HW == index
        distance = DistanceMap.of(mask_HW)
        if not distance.maximum:
            raise InvalidInputError(f"object {index} has no valid pixel: leave it out")
        strays = stray > 0 and rng.random() < stray
        depth = distance.maximum / (_STRAY if strays else _INNER)
        objects.append(distance.draw_above(depth, 1, rng) + _draw_few(mask_HW, _EXTRA_CLICKS, rng))
    background: list[Point] = []
    if rng.random() >= _NO_BACKGROUND_CLICKS:
        free_HW = (target_HW < 0) if valid is None else (target_HW < 0) & valid
        background = _draw_few(free_HW, _BACKGROUND_CLICKS, rng)
    time = count()
    stamped = [
        [Click.on_pixel(x, y, next(time)) for y, x in points] for points in [*objects, background]
    ]
    return ClickSet(stamped[:-1], stamped[-1])


def corrective_clicks(
    predicted_HW: LabelMap,
    target_HW: LabelMap,
    clicks: ClickSet,
    rng: np.random.Generator,
    valid: Mask | None = None,
) -> ClickSet:
    """Add one or two clicks for each of the worst objects of an image (docs/network.md, 10).

    An object is clicked in its missing or its surplus region, whichever is deeper. Call this for
    every image of a batch; the reference does so for the first only.

    Args:
        predicted_HW: predicted label map.
        target_HW: label map of the objects.
        clicks: the clicks so far.
        rng: makes all choices.
        valid: pixels that count and may be clicked; None: all.
    """
    valid = np.ones(target_HW.shape, np.bool_) if valid is None else valid
    ious = object_ious(predicted_HW, target_HW, len(clicks.objects), valid)
    worst = [int(index) for index in np.argsort(ious, kind="stable") if ious[index] < _GOOD_IOU]
    for index in worst[:_CORRECTED_OBJECTS]:
        error = deepest_error(predicted_HW, target_HW, index, valid)
        number = 2 if rng.random() < _TWO_CLICKS else 1
        for point in error.draw_above(error.maximum / 2, number, rng):
            clicks = add_click(clicks, target_HW, point)
    return clicks


def deepest_error(
    predicted_HW: LabelMap,
    target_HW: LabelMap,
    index: int,
    valid: Mask,
    avoid: ClickSet | None = None,
) -> DistanceMap:
    """Return the deeper error of object ``index``: missing or surplus pixels; surplus if equal.

    Pixels around the clicks to ``avoid`` do not count as errors.
    """
    predicted, target = predicted_HW == index, target_HW == index
    missing = DistanceMap.of(target & ~predicted & valid)
    surplus = DistanceMap.of(predicted & ~target & valid)
    if avoid is not None:
        missing = missing.without(avoid, SUPPRESSION_RADIUS)
        surplus = surplus.without(avoid, SUPPRESSION_RADIUS)
    return missing if missing.maximum > surplus.maximum else surplus


def add_click(clicks: ClickSet, target_HW: LabelMap, point: Point) -> ClickSet:
    """Add a click at ``point`` (y, x), with the newest time stamp.

    It belongs to the object of that pixel in ``target_HW``, or else to the background.
    """
    y, x = point
    click = Click.on_pixel(x, y, clicks.latest_time + 1)
    owner = int(target_HW[y, x])
    if owner < 0:
        return ClickSet(clicks.objects, (*clicks.background, click))
    objects = [(*own, click) if i == owner else own for i, own in enumerate(clicks.objects)]
    return ClickSet(objects, clicks.background)


def object_ious(
    predicted_HW: LabelMap, target_HW: LabelMap, num_objects: int, valid: Mask | None = None
) -> NDArray[np.float64]:
    """Return each object's IoU over the valid pixels; NaN if neither present nor predicted."""
    if valid is not None:
        predicted_HW, target_HW = predicted_HW[valid], target_HW[valid]
    sizes = num_objects + 1
    cells = (target_HW.ravel() + 1).astype(np.int32) * sizes + (predicted_HW.ravel() + 1)
    counts = np.bincount(cells, minlength=sizes**2).reshape(sizes, sizes)
    both = counts.diagonal()
    either = counts.sum(0) + counts.sum(1) - both
    with np.errstate(invalid="ignore"):
        ious: NDArray[np.float64] = both[1:] / either[1:]
    return ious


def _labels_of_valid(label_HW: LabelMap, valid: Mask | None) -> LabelMap:
    return label_HW if valid is None else np.where(valid, label_HW, -1)


def _draw_few(region_HW: Mask, most: int, rng: np.random.Generator) -> list[Point]:
    """Draw 0 to ``most`` pixels of the eroded region, at most half of it; few are likelier."""
    weights = _DECAY ** np.arange(most + 1)
    number = int(rng.choice(most + 1, p=weights / weights.sum()))
    if not number:
        return []
    left, top, width, height = cv2.boundingRect(region_HW.view(np.uint8))
    # One more pixel on each side, so that the erosion sees where the region ends.
    y, x = max(0, top - 1), max(0, left - 1)
    box_hw = region_HW[y : top + height + 1, x : left + width + 1].view(np.uint8)
    inner_hw = cv2.erode(box_hw, np.ones((3, 3), np.uint8)).view(np.bool_)
    points = draw_pixels(inner_hw, min(number, int(np.count_nonzero(inner_hw)) // 2), rng)
    return [(y + dy, x + dx) for dy, dx in points]
