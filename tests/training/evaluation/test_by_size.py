"""The comparison of models by the size of the objects (benchmarks/by_size.py)."""

import numpy as np
import pytest

from benchmarks.by_size import ALONE, TOGETHER, Scored, change, groups, render, scored
from tests.training.evaluation.scripted import Script, label_map
from training.data.sample import Sample
from training.evaluation.runner import evaluate

TARGET = label_map(40, 60, (0, 0, 10, 10), (0, 20, 30, 50))


class OneImage:
    name = "drawn"
    sample_ids = ("a",)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        image, ignore = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.bool_)
        return Sample(image, TARGET, ("x", "y"), ignore, "a")


def one(side, last=0.9, image="a"):
    return Scored(image, side, 0.5, last, last >= 0.85, 2, 0.5, last, 1, 0, 1, 0)


def test_objects_alone_are_scored_with_their_sides():
    nothing, first = label_map(40, 60), label_map(40, 60, (0, 0, 10, 10))
    second = label_map(40, 60, (0, 20, 30, 50))
    found = scored(evaluate(Script(nothing, first, second), OneImage(), ALONE), OneImage(), ALONE)
    small, large = sorted(found, key=lambda object_: object_.side)
    assert (small.side, large.side) == (10, 30)
    assert (small.first, small.last, small.clicks) == (0, 1, 2)
    assert (large.first, large.last, large.clicks) == (1, 1, 1)
    assert (small.first_boundary, small.last_boundary) == (0, 1)
    assert (small.first_parts, small.last_parts, small.last_holes) == (0, 1, 0)
    assert small.image == large.image == "drawn/a"


def test_what_is_not_reached_costs_the_whole_budget():
    halves = label_map(40, 60, (0, 0, 10, 10), (0, 20, 15, 50))
    found = scored(evaluate(Script(halves), OneImage(), TOGETHER), OneImage(), TOGETHER)
    large, small = sorted(found, key=lambda object_: -object_.side)
    assert (small.reached, small.clicks) == (True, 1)
    assert (large.reached, large.clicks, large.last) == (False, 10, 0.5)


def test_groups_begin_at_their_bounds():
    found = groups([one(5), one(20), one(31.9), one(64), one(100)])
    assert found == {"< 20": [0], "20–32": [1, 2], "≥ 64": [3, 4], "all": [0, 1, 2, 3, 4]}


def test_error_of_independent_objects_is_the_standard_error():
    rng = np.random.default_rng(0)
    old, new = rng.random(50), rng.random(50)
    found = change(new, old, [str(index) for index in range(50)])
    assert found.mean == pytest.approx(new.mean())
    assert found.difference == pytest.approx((new - old).mean())
    assert found.error == pytest.approx(np.std(new - old, ddof=1) / np.sqrt(50))


def test_objects_of_an_image_count_together():
    alike = change([1, 1, 0, 0], [0, 0, 0, 0], ["a", "a", "b", "b"])
    apart = change([1, 0], [0, 0], ["a", "b"])
    assert alike.error == pytest.approx(apart.error)


def test_table_shows_changes_to_the_first_model():
    table = render({"old": [one(10, 0.5)], "new": [one(10, 0.75)]})
    assert {"B-IoU@1", "B-IoU", "parts@1", "holes"} <= set(table.split())
    told = [line for line in table.splitlines() if "< 20" in line and " IoU " in line]
    assert len(told) == 2
    assert "+0.250 ± 0.000" in told[1]
    assert "±" not in told[0]
