"""Simulated clicks against values worked out by hand on small label maps."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite import Click, ClickSet
from dynamite.errors import InvalidInputError
from training.click_simulation import (
    add_click,
    corrective_clicks,
    deepest_error,
    initial_clicks,
    object_ious,
)
from training.distance_map import DistanceMap, draw_pixels


def label_map(height, width, *boxes):
    """Paint objects in order; a box is (top, left, bottom, right), ends excluded."""
    labels = np.full((height, width), -1, np.int32)
    for index, (top, left, bottom, right) in enumerate(boxes):
        labels[top:bottom, left:right] = index
    return labels


def positions(clicks):
    return [(int(click.y), int(click.x)) for click in clicks]


class TestDistanceMap:
    def test_square_by_hand(self):
        distance = DistanceMap.of(label_map(9, 9, (2, 3, 7, 8)) == 0)
        assert (distance.top, distance.left) == (2, 3)
        assert distance.values_hw.tolist() == [
            [1, 1, 1, 1, 1],
            [1, 2, 2, 2, 1],
            [1, 2, 3, 2, 1],
            [1, 2, 2, 2, 1],
            [1, 1, 1, 1, 1],
        ]
        assert distance.maximum == 3
        assert distance.peak == (4, 5)

    def test_outside_of_the_image_is_outside_of_the_region(self):
        assert DistanceMap.of(np.ones((3, 5), bool)).peak == (1, 1)  # first of three equals

    def test_first_of_equals_row_by_row(self):
        # Two squares of depth 2: the one whose middle comes first in row-major order.
        mask = np.zeros((9, 12), bool)
        mask[4:7, 1:4] = mask[3:6, 7:10] = True
        assert DistanceMap.of(mask).peak == (4, 8)

    def test_empty_region_peaks_at_the_first_pixel_with_zero(self):
        distance = DistanceMap.of(np.zeros((4, 4), bool))
        assert (distance.maximum, distance.peak) == (0, (0, 0))

    def test_suppression_is_a_closed_disc(self):
        line = DistanceMap.of(np.ones((1, 20), bool))
        left = line.without(ClickSet([[Click.on_pixel(3, 0)]]), radius=5)
        assert np.flatnonzero(left.values_hw[0]).tolist() == list(range(9, 20))
        anywhere = line.without(ClickSet([[Click(3.9, 0.2)]]), radius=5)
        assert np.flatnonzero(anywhere.values_hw[0]).tolist() == list(range(9, 20))
        diagonal = DistanceMap.of(np.ones((12, 12), bool)).without(
            ClickSet([[Click.on_pixel(0, 0)]]), 5
        )
        assert diagonal.values_hw[3, 4] == 0  # distance exactly 5
        assert diagonal.values_hw[4, 4] > 0

    def test_suppression_off_the_box_leaves_it_alone(self):
        distance = DistanceMap.of(label_map(30, 30, (20, 20, 25, 25)) == 0)
        far = distance.without(ClickSet([[Click.on_pixel(2, 2)], [Click.on_pixel(29, 2)]]), 5)
        assert np.array_equal(far.values_hw, distance.values_hw)

    @settings(deadline=None, max_examples=50)
    @given(seed=st.integers(0, 10**6), height=st.integers(1, 40), width=st.integers(1, 40))
    def test_equals_the_transform_of_the_whole_bordered_image(self, seed, height, width):
        rng = np.random.default_rng(seed)
        mask = cv2.blur(rng.random((height, width)), (5, 5)) > 0.5
        whole = cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, 0)[1:-1, 1:-1]
        distance = DistanceMap.of(mask)
        assert distance.peak == np.unravel_index(int(whole.argmax()), whole.shape)
        h, w = distance.values_hw.shape
        box = whole[distance.top : distance.top + h, distance.left : distance.left + w]
        assert np.array_equal(distance.values_hw, box)

    def test_draws_only_deep_pixels_in_image_coordinates(self):
        distance = DistanceMap.of(label_map(9, 9, (2, 3, 7, 8)) == 0)
        rng = np.random.default_rng(0)
        inner = {(y, x) for y in (3, 4, 5) for x in (4, 5, 6)}
        assert set(distance.draw_above(1.5, 100, rng)) == inner
        assert distance.draw_above(2.5, 2, rng) == [(4, 5)]

    def test_draw_repeats_no_pixel(self):
        points = draw_pixels(np.ones((3, 3), bool), 9, np.random.default_rng(0))
        assert len(set(points)) == 9


class TestInitialClicks:
    target = label_map(20, 20, (2, 3, 7, 8), (10, 10, 12, 12))

    def test_first_click_is_deep_and_the_others_off_the_border(self):
        # Depth 3 in the middle: above 3 / 1.7 lie the inner 3×3 pixels; so does the eroded object.
        inner = {(y, x) for y in (3, 4, 5) for x in (4, 5, 6)}
        firsts, most = set(), 0
        for seed in range(300):
            clicks = initial_clicks(self.target, 2, np.random.default_rng(seed))
            first, *extra = positions(clicks.objects[0])
            firsts.add(first)
            most = max(most, len(extra))
            assert set(extra) <= inner
            assert len(set(extra)) == len(extra)
        assert firsts == inner
        assert most == 4  # half of nine candidates

    def test_an_object_that_erodes_to_nothing_gets_one_click(self):
        for seed in range(50):
            clicks = initial_clicks(self.target, 2, np.random.default_rng(seed))
            assert len(clicks.objects[1]) == 1

    def test_an_object_at_the_border_of_the_image_is_not_eroded_there(self):
        corner = label_map(9, 9, (0, 0, 2, 2))
        extra = set()
        for seed in range(300):
            extra |= set(
                positions(initial_clicks(corner, 1, np.random.default_rng(seed)).background)
            )
        free = {(y, x) for y in range(9) for x in range(9)} - {
            (y, x) for y in range(3) for x in range(3)
        }
        assert extra == free

    def test_times_count_up_through_objects_and_background(self):
        clicks = initial_clicks(self.target, 2, np.random.default_rng(3))
        assert [click.time for click in clicks] == list(range(len(clicks)))

    def test_frequencies(self):
        drawn = [initial_clicks(self.target, 2, np.random.default_rng(s)) for s in range(2000)]
        without = np.mean([not clicks.background for clicks in drawn])
        # 0.2 + 0.8 · P(0 of 0..6), P(k) ∝ 0.7^k: 0.8 · 0.3269
        assert without == pytest.approx(0.4615, abs=0.03)
        single = np.mean([len(clicks.objects[0]) == 1 for clicks in drawn])
        assert single == pytest.approx(0.3 / (1 - 0.7**6), abs=0.03)  # P(0 of 0..5)

    def test_only_valid_pixels(self):
        valid = np.zeros((20, 20), bool)
        valid[:, :6] = True
        for seed in range(30):
            rng = np.random.default_rng(seed)
            clicks = initial_clicks(self.target, 1, rng, valid)
            assert all(click.x < 6 for click in clicks)

    def test_stray_first_clicks_fall_anywhere_but_on_the_rim(self):
        disc = np.where(np.hypot(*np.mgrid[-50:51, -50:51]) < 45, 0, -1)
        depths = {0.0: [], 1.0: []}
        for stray, found in depths.items():
            for seed in range(200):
                rng = np.random.default_rng(seed)
                y, x = positions(initial_clicks(disc, 1, rng, stray=stray).objects[0])[0]
                found.append(45 - np.hypot(y - 50, x - 50))
        assert min(depths[0.0]) > 45 / 1.7 - 2
        assert 2 < min(depths[1.0]) < 8
        # Uniform over the disc: half of its area lies outside 0.71 of the radius.
        assert 9 < np.median(depths[1.0]) < 18

    def test_a_share_of_the_first_clicks_strays(self):
        disc = np.where(np.hypot(*np.mgrid[-50:51, -50:51]) < 45, 0, -1)
        outer = []
        for seed in range(400):
            clicks = initial_clicks(disc, 1, np.random.default_rng(seed), stray=0.5)
            y, x = positions(clicks.objects[0])[0]
            outer.append(np.hypot(y - 50, x - 50) > 21)
        # Beyond 21 of 40 pixels lies 0.72 of where a stray one may fall, and none of the others.
        assert 0.28 < np.mean(outer) < 0.44

    def test_same_seed_same_clicks(self):
        first, again = (initial_clicks(self.target, 2, np.random.default_rng(9)) for _ in range(2))
        assert first == again

    def test_an_object_without_pixels_is_an_error_that_names_it(self):
        with pytest.raises(InvalidInputError, match="object 2 has no valid pixel"):
            initial_clicks(self.target, 3, np.random.default_rng(0))


class TestCorrectiveClicks:
    target = label_map(20, 20, (0, 0, 10, 10), (10, 10, 20, 20))
    clicks = ClickSet([[Click.on_pixel(4, 4, 0)], [Click.on_pixel(14, 14, 1)]])

    def correct(self, predicted, seed, valid=None, target=None):
        target = self.target if target is None else target
        rng = np.random.default_rng(seed)
        return corrective_clicks(predicted, target, self.clicks, rng, valid)

    def test_a_missing_part_is_clicked_for_the_object(self):
        predicted = label_map(20, 20, (0, 0, 10, 5), (10, 10, 20, 20))
        # Missing: 10×5 pixels, deepest 3 in the middle column; above 1.5 its inner 8×3 pixels.
        hits = set()
        for seed in range(200):
            clicks = self.correct(predicted, seed)
            assert clicks.objects[1:] == self.clicks.objects[1:]
            assert not clicks.background
            hits |= set(positions(clicks.objects[0][1:]))
        assert hits == {(y, x) for y in range(1, 9) for x in range(6, 9)}

    def test_one_click_mostly_two_now_and_then_times_go_on(self):
        predicted = label_map(20, 20, (0, 0, 10, 5), (10, 10, 20, 20))
        drawn = [self.correct(predicted, seed).objects[0][1:] for seed in range(1000)]
        assert {tuple(click.time for click in new) for new in drawn} == {(2,), (2, 3)}
        assert np.mean([len(new) == 2 for new in drawn]) == pytest.approx(0.2, abs=0.03)

    def test_surplus_on_the_background_is_a_background_click(self):
        predicted = label_map(20, 20, (0, 0, 10, 20), (10, 10, 20, 20))
        clicks = self.correct(predicted, 0)
        assert clicks.objects == self.clicks.objects
        assert all(click.x > 10 and click.y < 10 for click in clicks.background)

    def test_surplus_on_another_object_is_a_click_on_that(self):
        predicted = label_map(20, 20, (0, 0, 10, 10), (10, 10, 20, 20))
        predicted[10:20, 10:14] = 0  # object 0: 100 of 140 right; object 1: 60 of 100
        clicks = self.correct(predicted, 0)
        assert len(clicks.objects[0]) == 1
        assert len(clicks.objects[1]) >= 3  # one or two for each of the two objects
        assert not clicks.background

    def test_equally_deep_errors_click_the_surplus(self):
        target, predicted = label_map(9, 20, (2, 2, 5, 8)), label_map(9, 20, (2, 5, 5, 11))
        clicks = corrective_clicks(
            predicted, target, ClickSet([[Click.on_pixel(3, 3)]]), np.random.default_rng(0)
        )
        assert positions(clicks.background)[0] == (3, 9)

    def test_good_objects_and_absent_ones_are_left_alone(self):
        predicted = self.target.copy()
        predicted[0, :10] = -1  # IoU exactly 0.90 is good
        assert self.correct(predicted, 0) == self.clicks
        three = ClickSet([*self.clicks.objects, [Click.on_pixel(0, 0, 2)]])
        rng = np.random.default_rng(0)
        assert corrective_clicks(self.target, self.target, three, rng) == three

    def test_the_worst_object_comes_first(self):
        predicted = label_map(20, 20, (0, 0, 10, 5), (10, 10, 12, 20))
        clicks = self.correct(predicted, 0)
        assert clicks.objects[1][1].time == 2 < clicks.objects[0][1].time

    def test_fifteen_objects_at_most(self):
        boxes = [(4 * (i // 5), 4 * (i % 5), 4 * (i // 5) + 3, 4 * (i % 5) + 3) for i in range(17)]
        target = label_map(20, 20, *boxes)
        clicks = ClickSet(
            [[Click.on_pixel(left, top, i)] for i, (top, left, _, _) in enumerate(boxes)]
        )
        nothing = np.full_like(target, -1)
        corrected = corrective_clicks(nothing, target, clicks, np.random.default_rng(0))
        assert sum(len(own) > 1 for own in corrected.objects) == 15

    def test_pixels_that_are_not_valid_are_no_errors(self):
        predicted = label_map(20, 20, (0, 0, 10, 20), (10, 10, 20, 20))
        valid = np.ones((20, 20), bool)
        valid[:10, 10:] = False
        assert self.correct(predicted, 0, valid) == self.clicks


def test_deepest_error_of_no_error_is_empty():
    target = label_map(5, 5, (0, 0, 3, 3))
    assert deepest_error(target, target, 0, np.ones((5, 5), bool)).maximum == 0


def test_clicked_appends_without_touching_the_rest():
    target = label_map(5, 5, (0, 0, 2, 2))
    clicks = ClickSet([[Click.on_pixel(0, 0, 0)]])
    assert add_click(clicks, target, (1, 0)).objects[0] == (
        Click.on_pixel(0, 0, 0),
        Click.on_pixel(0, 1, 1),
    )
    assert add_click(clicks, target, (4, 3)).background == (Click.on_pixel(3, 4, 1),)


class TestObjectIous:
    def test_by_hand(self):
        target = np.array([[0, 0, 1], [1, -1, -1]])
        predicted = np.array([[0, 1, 1], [-1, -1, 0]])
        # object 0: 1 of {3}; object 1: 1 of {3}; object 2 nowhere
        ious = object_ious(predicted, target, 3)
        assert ious[:2].tolist() == pytest.approx([1 / 3, 1 / 3])
        assert np.isnan(ious[2])

    def test_ignored_pixels_do_not_count(self):
        target = np.array([[0, 0, 1], [1, -1, -1]])
        predicted = np.array([[0, 1, 1], [-1, -1, 0]])
        valid = np.array([[True, False, True], [True, True, True]])
        assert object_ious(predicted, target, 2, valid).tolist() == [0.5, 0.5]
