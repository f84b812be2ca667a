import numpy as np

from backend.label_studio.next.others import Other
from backend.label_studio.next.planning import MOST_OTHERS, plan_object
from backend.session.bitmask import BitMask
from backend.session.prompts import Point
from backend.session.regions import ImageKey

IMAGE = ImageKey("image")
POINTS = [Point("", "", IMAGE, 0.05, 0.5, positive=True), Point("", "", IMAGE, 0.9, 0.5)]


def other(column, *clicks):
    mask = np.zeros((10, 100), np.bool_)
    mask[:, column] = True
    return Other(BitMask.of(mask), clicks)


def test_others_are_segmented_too_by_their_clicks_or_by_points_inside_them():
    known, unknown = other(20, (0.205, 0.1)), other(40)
    plan = plan_object(POINTS, [known, unknown], IMAGE)
    mine, *others = plan.targets
    assert [(c.x, c.y) for c in mine.clicks] == [(0.05, 0.5)]
    assert [(c.x, c.y) for c in plan.background] == [(0.9, 0.5)]
    assert [(c.x, c.y) for c in others[0].clicks] == [(0.205, 0.1)]
    assert all(unknown.mask.contains(c.x, c.y) for c in others[1].clicks)
    assert others[1].clicks
    assert plan.fixed == (known.mask, unknown.mask)
    assert min(c.time for c in mine.clicks) >= max(len(o.clicks) for o in others)


def test_only_the_nearest_are_segmented_but_all_keep_their_pixels():
    others = [other(column) for column in range(99, 9, -1)]
    plan = plan_object(POINTS, others, IMAGE)
    assert len(plan.fixed) == len(others)
    nearest = [target.clicks[0].x for target in plan.targets[1:]]
    assert nearest == sorted(nearest)
    assert len(nearest) == MOST_OTHERS
    assert max(nearest) < 0.27


def test_without_a_positive_prompt_there_is_nothing_to_segment():
    assert plan_object(POINTS[1:], [other(3)], IMAGE) is None
