"""Where the published protocol clicks: in the middle of objects, then of errors."""

import tracemalloc
from random import Random

import numpy as np

from dynamite import Click, ClickSet
from tests.training.evaluation.scripted import Script, label_map
from training.evaluation.gestures import GESTURES, Gesture
from training.evaluation.interaction import Target, interact
from training.evaluation.strategies import STRATEGIES


class TestFirstClicks:
    def test_fall_in_the_middle_of_each_object(self):
        target = label_map(12, 12, (0, 0, 3, 3), (5, 5, 10, 10))
        clicks = first_clicks(target, 3, np.zeros((12, 12), bool))
        assert clicks == ClickSet(
            [[Click.on_pixel(1, 1, 0)], [Click.on_pixel(7, 7, 1)], [Click.on_pixel(0, 0, 2)]]
        )

    def test_keep_away_from_the_ignore_region(self):
        ignore = np.zeros((9, 9), bool)
        ignore[:, 3:] = True
        assert first_clicks(label_map(9, 9, (0, 0, 9, 9)), 1, ignore) == ClickSet(
            [[Click.on_pixel(1, 1)]]
        )


def first_clicks(target, count, ignore):
    return GESTURES["center"].first_clicks(target, count, ignore, np.random.default_rng(0))


def test_first_clicks_on_many_objects_of_a_large_image_need_one_mask_at_a_time():
    target = label_map(1500, 1500, *((0, 10 * i, 8, 10 * i + 8) for i in range(100)))
    ignore = np.zeros(target.shape, bool)
    for gesture in ("center", "box"):
        tracemalloc.start()
        GESTURES[gesture].first_clicks(target, 100, ignore, np.random.default_rng(0))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20 * target.size, gesture


class TestNextClick:
    def test_a_missing_part_deeper_than_the_surplus(self):
        target, predicted = label_map(30, 30, (0, 0, 9, 20)), label_map(30, 30, (0, 9, 10, 24))
        # Missing 9×9 (depth 5), surplus 10×4 and a strip (depth 2).
        clicks = next_click(predicted, target, (4, 15))
        assert clicks.objects[0][1] == Click.on_pixel(4, 4, 1)

    def test_equal_depths_click_the_surplus(self):
        target, predicted = label_map(9, 30, (2, 2, 5, 8)), label_map(9, 30, (2, 5, 5, 11))
        assert next_click(predicted, target, (8, 20)).background == (Click.on_pixel(9, 3, 1),)

    def test_clicks_of_all_objects_and_of_the_background_suppress(self):
        target, nothing = label_map(2, 30, (0, 0, 1, 24)), label_map(2, 30)
        # A line of depth 1: the discs leave 6 and 18.. of it, then 18.. only.
        assert next_click(nothing, target, (0, 0)).objects[0][1] == Click.on_pixel(6, 0, 1)
        two = next_click(nothing, target, (0, 0), (0, 12), count=2)
        assert two.objects == (
            (Click.on_pixel(0, 0), Click.on_pixel(6, 0, 2)),
            (Click.on_pixel(12, 0, 1),),
        )
        three = next_click(nothing, target, (0, 0), (0, 12), (1, 6), count=2)
        assert three.background == (Click.on_pixel(6, 1, 2),)
        assert three.objects[0][1] == Click.on_pixel(18, 0, 3)

    def test_everything_suppressed_clicks_the_first_pixel(self):
        target, nothing = label_map(6, 6, (2, 2, 5, 5)), label_map(6, 6)
        assert next_click(nothing, target, (3, 3)).background == (Click.on_pixel(0, 0, 1),)

    def test_errors_in_the_ignore_region_do_not_count(self):
        target, predicted = label_map(20, 20, (0, 0, 20, 4)), label_map(20, 20, (0, 0, 20, 14))
        ignore = np.zeros((20, 20), bool)
        ignore[:, 8:] = True
        clicks = next_click(predicted, target, (0, 0), ignore=ignore)
        assert clicks.background[0].x < 8

    def test_the_owner_of_the_pixel_gets_the_click(self):
        target = label_map(9, 20, (0, 0, 9, 9), (0, 9, 9, 18))
        predicted = label_map(9, 20, (0, 0, 9, 18))
        clicks = next_click(predicted, target, (0, 0), (8, 0), count=2)
        assert clicks.objects[1][1] == Click.on_pixel(13, 4, 2)


def next_click(predicted, target, *said, count=1, ignore=None):
    """Return ``said``, clicks at (y, x), and one in the middle of the best object's error."""
    center = GESTURES["center"].mark
    given = iter([[point] for point in said])
    outcome = interact(
        Script(predicted),
        Target(target, count, np.zeros(target.shape, bool) if ignore is None else ignore),
        strategy=STRATEGIES["best"](count, 0.85, 20, Random(0)),
        gesture=Gesture(lambda error, rng: next(given, None) or center(error, rng)),
        budget=len(said) + 1,
        threshold=0.85,
        rng=np.random.default_rng(0),
    )
    assert len(outcome.clicks) == len(said) + 1
    return outcome.clicks
