"""MIST and NoC scores, curves and robustness, worked out by hand."""

import numpy as np
import pytest

from training.evaluation.curves import iou_by_clicks
from training.evaluation.mist import mist_score, object_clicks
from training.evaluation.robustness import robustness
from training.evaluation.single_instance import noc_score, thresholds_up_to

NAN = float("nan")


def rows(*values):
    return np.array(values, float)


class TestMist:
    def test_by_hand(self):
        good = rows([0.5, 0.9], [0.86, 0.9])  # 3 clicks, 2 objects: 1.5
        bad = rows([0.1], [0.3], [0.2])  # failed: its whole budget, 3 clicks
        half = rows([0.9, 0.84, 0.2])  # failed at once, still the budget: 3 per object
        score = mist_score([good, bad, half], threshold=0.85, clicks_per_object=3)
        assert score.nci == pytest.approx((1.5 + 3 + 3) / 3)
        assert (score.nfo, score.nfi) == (3, 2)
        assert score.iou == pytest.approx((0.88 + 0.2 + (0.9 + 0.84 + 0.2) / 3) / 3)
        assert (score.images, score.objects) == (3, 6)

    def test_the_threshold_itself_is_reached(self):
        assert mist_score([rows([0.85])]).nfo == 0

    def test_an_object_that_is_nowhere_is_neither_reached_nor_failed(self):
        score = mist_score([rows([NAN, 0.9]), rows([NAN])])
        assert (score.nfo, score.nfi, score.nci) == (0, 0, 1)
        assert score.iou == pytest.approx(0.9)


class TestObjectClicks:
    def test_a_failed_object_costs_its_own_budget_only(self):
        final, spent = np.array([0.9, 0.84, 0.85, NAN]), np.array([1, 2, 7, 1])
        assert object_clicks(final, spent, clicks_per_object=10) == (1 + 10 + 7 + 1) / 4
        # Nor does one that is good in the end cost more than one that is not.
        assert object_clicks(final, spent, clicks_per_object=5) == (1 + 5 + 5 + 1) / 4

    def test_where_none_fails_it_is_nci(self):
        ious = rows([0.5, 0.9], [0.86, 0.9], [0.84, 0.9], [0.9, 0.9])
        spent = np.array([4, 1])
        assert object_clicks(ious[-1], spent) == mist_score([ious]).nci == 2.5


class TestNoc:
    def test_by_hand(self):
        ious = [
            np.array([0.5, 0.82, 0.86, 0.91]),  # 2, 3, 4
            np.array([0.95]),  # 1, 1, 1
            np.array([0.7, 0.85, 0.84, 0.8, 0.6]),  # 2, 2, failed
        ]
        score = noc_score(ious, threshold=0.9, budget=5)
        assert score.noc == {0.8: 1.67, 0.85: 2.0, 0.9: 3.33}
        assert score.failures == {0.8: 0, 0.85: 0, 0.9: 1}
        assert score.iou_1 == pytest.approx((0.5 + 0.95 + 0.7) / 3)
        assert score.samples == 3

    def test_thresholds(self):
        assert thresholds_up_to(0.9) == [0.8, 0.85, 0.9]
        assert thresholds_up_to(0.8) == [0.8]
        assert thresholds_up_to(0.95) == [0.8, 0.85, 0.9, 0.95]

    def test_a_threshold_between_two_steps_is_the_last(self):
        assert thresholds_up_to(0.87) == [0.8, 0.85, 0.87]
        assert thresholds_up_to(0.88) == [0.8, 0.85, 0.88]
        assert thresholds_up_to(0.81) == [0.8, 0.81]


def test_curve_counts_clicks_per_object_and_keeps_the_last_iou():
    two = rows([0.2, 0.4], [0.4, 0.4], [0.6, 0.6], [0.6, 0.8])  # 2, 3, 4 and 5 clicks
    one = rows([0.9])
    curve = iou_by_clicks([two, one], 3)
    assert curve.tolist() == pytest.approx([(0.3 + 0.9) / 2, (0.6 + 0.9) / 2, (0.7 + 0.9) / 2])


class TestRobustness:
    def test_rise_and_spread(self):
        found = robustness(
            {"center": 2.0, "off-center": 2.5, "off-center-easy": 2.2, "off-center-hard": 2.7}
        )
        assert found["off-center"].rise == pytest.approx(0.25)
        assert found["off-center"].spread == pytest.approx(0.5 / 2.5)
        assert found["center"].rise is None
        assert found["off-center-hard"].rise == pytest.approx(0.35)

    def test_without_center_clicks_there_is_no_rise(self):
        assert robustness({"scribble": 3.0})["scribble"].rise is None
