"""Where a simulated annotator clicks: at random in training, in the middle in evaluation.

A label map is an integer array H×W: −1 none, i object i. docs/network.md, 10, describes the clicks
of training, 10.2 and 10.3 those of evaluation, which ``training.evaluation`` puts together.
"""

from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Click, ClickSet
from dynamite.errors import InvalidInputError
from training.distance_map import DistanceMap, Mask, Point, draw

LabelMap = NDArray[np.integer]

SUPPRESSION_RADIUS = 5
"""Pixels around earlier clicks where evaluation does not click again (docs/evaluation.md)."""

_EXTRA_CLICKS = 5
_BACKGROUND_CLICKS = 6
_NO_BACKGROUND_CLICKS = 0.2
_DECAY = 0.7
_INNER = 1.7
_STRAY = 10
_CORRECTED_OBJECTS = 15
_GOOD_IOU = 0.9
_TWO_CLICKS = 0.2


def initial_clicks(
    target_HW: LabelMap,
    num_objects: int,
    rng: np.random.Generator,
    valid: Mask | None = None,
    stray: float = 0.0,
) -> ClickSet:
    """First clicks of a training image: one to six per object, up to six on the background.

    Only ``valid`` pixels are clicked, neither padding nor an ignore region; all are valid if it is
    None. The first click falls in the inner part of its object (docs/network.md, 10); that of a
    share ``stray`` of the objects, from a tenth of the object's depth on, for people do not aim at
    the middle.

    Raises:
        InvalidInputError: an object below ``num_objects`` has no valid pixel.
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
    stamped = [[Click(x, y, next(time)) for y, x in points] for points in [*objects, background]]
    return ClickSet(stamped[:-1], stamped[-1])


def corrective_clicks(
    predicted_HW: LabelMap,
    target_HW: LabelMap,
    clicks: ClickSet,
    rng: np.random.Generator,
    valid: Mask | None = None,
) -> ClickSet:
    """``clicks`` and one or two more for each of the worst objects (docs/network.md, 10).

    An object is clicked where it is missing or where it is too much, whichever error reaches
    deeper. To be called for each image of a batch; the reference stops after the first.
    """
    valid = np.ones(target_HW.shape, np.bool_) if valid is None else valid
    ious = object_ious(predicted_HW, target_HW, len(clicks.objects), valid)
    worst = [int(index) for index in np.argsort(ious, kind="stable") if ious[index] < _GOOD_IOU]
    for index in worst[:_CORRECTED_OBJECTS]:
        error = deepest_error(predicted_HW, target_HW, index, valid)
        number = 2 if rng.random() < _TWO_CLICKS else 1
        for point in error.draw_above(error.maximum / 2, number, rng):
            clicks = clicked(clicks, target_HW, point)
    return clicks


def deepest_error(
    predicted_HW: LabelMap,
    target_HW: LabelMap,
    index: int,
    valid: Mask,
    avoid: ClickSet | None = None,
) -> DistanceMap:
    """Of what object ``index`` lacks and what it has too much, the deeper; the latter if equal.

    Pixels around the clicks to ``avoid`` count as no error.
    """
    predicted, target = predicted_HW == index, target_HW == index
    missing = DistanceMap.of(target & ~predicted & valid)
    surplus = DistanceMap.of(predicted & ~target & valid)
    if avoid is not None:
        missing = missing.without(avoid, SUPPRESSION_RADIUS)
        surplus = surplus.without(avoid, SUPPRESSION_RADIUS)
    return missing if missing.maximum > surplus.maximum else surplus


def clicked(clicks: ClickSet, target_HW: LabelMap, point: Point) -> ClickSet:
    """``clicks`` and one at ``point``, the newest.

    It belongs to the object that owns the pixel in ``target_HW``, else to the background.
    """
    y, x = point
    click = Click(x, y, clicks.latest_time + 1)
    owner = int(target_HW[y, x])
    if owner < 0:
        return ClickSet(clicks.objects, (*clicks.background, click))
    objects = [(*own, click) if i == owner else own for i, own in enumerate(clicks.objects)]
    return ClickSet(objects, clicks.background)


def object_ious(
    predicted_HW: LabelMap, target_HW: LabelMap, num_objects: int, valid: Mask | None = None
) -> NDArray[np.float64]:
    """IoU of each object over the valid pixels; NaN for one that is neither there nor predicted."""
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
    """0 to ``most`` pixels of the eroded region, fewer being likelier, and at most half of it."""
    weights = _DECAY ** np.arange(most + 1)
    number = int(rng.choice(most + 1, p=weights / weights.sum()))
    if not number:
        return []
    left, top, width, height = cv2.boundingRect(region_HW.view(np.uint8))
    # One pixel more on each side, for the erosion must see where the region ends.
    y, x = max(0, top - 1), max(0, left - 1)
    box_hw = region_HW[y : top + height + 1, x : left + width + 1].view(np.uint8)
    inner_hw = cv2.erode(box_hw, np.ones((3, 3), np.uint8)).view(np.bool_)
    points = draw(inner_hw, min(number, int(np.count_nonzero(inner_hw)) // 2), rng)
    return [(y + dy, x + dx) for dy, dx in points]
