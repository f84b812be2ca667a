"""The interaction loop with a scripted method, the gestures, plans and records."""

from random import Random

import numpy as np
import pytest

import dynamite
from dynamite import Click, ClickSet
from dynamite.clicks import MAX_CLICKS
from dynamite.errors import InvalidInputError
from tests.training.evaluation.scripted import Script, label_map
from training.data.problems import DatasetError
from training.data.sample import Sample
from training.distance_map import DistanceMap
from training.evaluation.gestures import GESTURES, STROKE_CLICKS
from training.evaluation.interaction import Target, interact
from training.evaluation.model_segmenter import ModelSegmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.evaluation.strategies import STRATEGIES

TWO = label_map(20, 40, (0, 0, 10, 10), (0, 20, 10, 30))


def play(script, target=TWO, *, strategy="best", gesture="center", budget=20, ignore=None):
    count = int(target.max()) + 1
    ignore = np.zeros(target.shape, bool) if ignore is None else ignore
    return interact(
        script,
        Target(target, count, ignore),
        strategy=STRATEGIES[strategy](count, 0.85, budget // count, Random(0)),
        gesture=GESTURES[gesture],
        budget=budget,
        threshold=0.85,
        rng=np.random.default_rng(0),
    )


class TestInteract:
    def test_stops_when_all_objects_are_good(self):
        half = label_map(20, 40, (0, 0, 10, 10), (0, 20, 10, 25))
        script = Script(half, half, TWO)
        outcome = play(script)
        assert outcome.ious.tolist() == [[1, 0.5], [1, 0.5], [1, 1]]
        assert outcome.spent.tolist() == [1, 3]
        assert len(outcome.seconds) == 3
        assert np.array_equal(outcome.label_map, TWO)
        # The first clicks: the first deepest pixel of each square, row by row.
        assert script.asked[0] == ClickSet([[Click.on_pixel(4, 4, 0)], [Click.on_pixel(24, 4, 1)]])
        # Missing: columns 25..29. The disc around (4, 24) leaves of it the corner (8, 28) of depth
        # 2; the disc around that leaves the edge, from (0, 28) on.
        assert script.asked[1].objects[1][1] == Click.on_pixel(28, 8, 2)
        assert script.asked[2].objects[1][2] == Click.on_pixel(28, 0, 3)

    def test_spends_the_budget_and_no_more(self):
        nothing = label_map(20, 40)
        outcome = play(Script(nothing), budget=6)
        assert outcome.ious.shape == (5, 2)  # after 2, 3, 4, 5 and 6 clicks
        assert outcome.spent.sum() == 6
        assert len(outcome.clicks) == 6

    def test_good_at_once_needs_no_further_click(self):
        outcome = play(Script(TWO))
        assert outcome.ious.tolist() == [[1, 1]]
        assert len(outcome.clicks) == 2

    def test_max_dt_clicks_the_deepest_wrong_label_whosever_it_is(self):
        # Wrong: all of object 1 (10×10, depth 5) and a column of background given to object 0.
        answer = label_map(20, 40, (0, 0, 10, 12))
        script = Script(answer, TWO)
        assert play(script, strategy="max_dt").spent.tolist() == [1, 1]  # it looks at none
        # Depth 5 at (4..5, 24..25) lies within 5 of the first click (4, 24); so do depths 4 and 3
        # on its side. Farther than 5: (8, 28) is at 5.66 with depth 2, as no other is deeper.
        new = script.asked[1]
        assert new.objects[1][1] == Click.on_pixel(28, 8, 2)

    def test_the_ignore_region_is_out_of_the_iou_and_of_the_clicks(self):
        ignore = np.zeros(TWO.shape, bool)
        ignore[:, 10:20] = ignore[10:] = True
        spilled = label_map(20, 40, (0, 0, 20, 18), (0, 20, 10, 30))
        assert play(Script(spilled), ignore=ignore).ious.tolist() == [[1, 1]]

    def test_ends_when_only_an_absent_object_is_left(self):
        hidden = Target(label_map(9, 9, (2, 2, 7, 7)), 2, np.zeros((9, 9), bool))
        outcome = interact(
            Script(hidden.label_map),
            hidden,
            strategy=STRATEGIES["worst"](2, 0.85, 10, Random(0)),
            gesture=GESTURES["center"],
            budget=20,
            threshold=0.85,
            rng=np.random.default_rng(0),
        )
        assert outcome.ious[0][0] == 1
        assert np.isnan(outcome.ious[0][1])
        assert outcome.clicks.objects[1] == (Click.on_pixel(0, 0, 1),)

    def test_ends_before_there_are_more_clicks_than_a_model_takes(self, monkeypatch):
        monkeypatch.setattr("training.evaluation.interaction.MAX_CLICKS", 5)
        outcome = play(Script(label_map(20, 40)))
        assert len(outcome.clicks) == 5

    def test_a_gesture_of_many_clicks_costs_one(self):
        nothing = label_map(60, 60)
        target = label_map(60, 60, (2, 2, 58, 20))
        outcome = play(Script(nothing), target, gesture="scribble", budget=3)
        assert len(outcome.ious) == outcome.spent.sum() == 3
        assert len(outcome.clicks) > 6


class TestGestures:
    region = DistanceMap.of(label_map(30, 60, (5, 5, 26, 50)) == 0)  # depth 11 in row 15

    def marks(self, name, region=None, seeds=80):
        region = self.region if region is None else region
        return [GESTURES[name].mark(region, np.random.default_rng(s)) for s in range(seeds)]

    def depth(self, point):
        y, x = point
        return self.region.values_hw[y - self.region.top, x - self.region.left]

    def test_center_is_the_deepest_pixel(self):
        assert self.marks("center", seeds=1) == [[(15, 15)]]

    @pytest.mark.parametrize(
        ("name", "lowest", "highest"),
        [("off-center", 2, 11), ("off-center-easy", 6, 11), ("off-center-hard", 2, 5)],
    )
    def test_off_center_clicks_lie_in_their_band_of_depth(self, name, lowest, highest):
        depths = [self.depth(point) for [point] in self.marks(name, seeds=400)]
        assert (min(depths), max(depths)) == (lowest, highest)

    def test_a_region_one_pixel_deep_is_hit_all_the_same(self):
        line = DistanceMap.of(label_map(5, 30, (2, 3, 3, 20)) == 0)
        assert all(mark[0][0] == 2 for mark in self.marks("off-center", line))

    @pytest.mark.parametrize("name", GESTURES)
    def test_an_empty_region_is_marked_at_the_first_pixel(self, name):
        empty = DistanceMap.of(np.zeros((4, 4), bool))
        assert GESTURES[name].mark(empty, np.random.default_rng(0)) == [(0, 0)]

    def test_a_stroke_runs_along_the_core(self):
        # Deeper than 5.5: rows 10..20, columns 10..44: 34 long, so 4 clicks, one in each quarter.
        for points in self.marks("scribble"):
            assert all(self.depth(point) > 5.5 for point in points)
            columns = sorted(x for _, x in points)
            assert len(columns) == 4
            quarters = [(10, 19), (18, 28), (26, 37), (35, 44)]
            for x, (first, last) in zip(columns, quarters, strict=True):
                assert first <= x <= last

    def test_a_long_stroke_has_a_limit_and_a_dot_is_one_click(self):
        long = DistanceMap.of(np.ones((9, 300), bool))
        assert {len(points) for points in self.marks("scribble", long)} == {STROKE_CLICKS}
        small = DistanceMap.of(label_map(9, 9, (3, 3, 6, 6)) == 0)
        assert self.marks("scribble", small, seeds=1) == [[(4, 4)]]

    def test_a_box_is_its_middle_and_what_lies_outside_its_edges(self):
        target = label_map(60, 100, (10, 20, 35, 70))  # 25 high, 50 wide: margins 2 and 4
        clicks = GESTURES["box"].first_clicks(
            target, 1, np.zeros(target.shape, bool), np.random.default_rng(0)
        )
        assert clicks.objects == ((Click.on_pixel(45, 22, 0),),)
        assert clicks.background == (
            Click.on_pixel(45, 8, 1),
            Click.on_pixel(45, 36, 2),
            Click.on_pixel(16, 22, 3),
            Click.on_pixel(73, 22, 4),
        )

    def test_box_clicks_off_the_image_or_in_another_box_are_left_out(self):
        target = label_map(20, 40, (0, 0, 20, 20), (0, 20, 20, 40))
        clicks = GESTURES["box"].first_clicks(
            target, 2, np.zeros(target.shape, bool), np.random.default_rng(0)
        )
        assert not clicks.background

    @pytest.mark.parametrize("gesture", ["box", "scribble"])
    def test_very_many_objects_stay_within_what_a_model_takes(self, gesture):
        boxes = [(y, x, y + 9, x + 61) for y in range(4, 1040, 20) for x in range(4, 350, 70)]
        target = label_map(1050, 360, *boxes)
        clicks = GESTURES[gesture].first_clicks(
            target, 260, np.zeros(target.shape, bool), np.random.default_rng(0)
        )
        assert all(clicks.objects)
        assert 500 < len(clicks) <= MAX_CLICKS

    def test_an_object_without_pixels_has_no_outside(self):
        target = label_map(20, 40, (5, 5, 15, 15))
        clicks = GESTURES["box"].first_clicks(
            target, 2, np.zeros(target.shape, bool), np.random.default_rng(0)
        )
        assert clicks.objects[1] == (Click.on_pixel(0, 0, 1),)
        assert len(clicks.background) == 4


class Samples:
    """A data set in memory."""

    name = "memory"

    def __init__(self, *samples):
        self._samples = samples
        self.sample_ids = [sample.sample_id for sample in samples]

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, index):
        return self._samples[index]


def sample(name, target):
    image = np.full((*target.shape, 3), len(name), np.uint8)
    labels = ("thing",) * (int(target.max()) + 1)
    return Sample(image, target, labels, np.zeros(target.shape, bool), name)


class TestEvaluate:
    data = Samples(sample("a", TWO), sample("bb", label_map(20, 40)), sample("ccc", TWO))

    def test_one_record_for_each_image_with_objects(self):
        script = Script(TWO)
        done = []
        records = evaluate(script, self.data, EvaluationPlan(), on_sample=lambda: done.append(1))
        assert [(r.index, r.source, r.name) for r in records] == [(0, 0, "a"), (2, 2, "ccc")]
        assert len(done) == 3
        assert len(script.images) == 2
        assert np.array_equal(records[0].answer, TWO)

    def test_an_empty_image_is_substituted_only_when_asked(self):
        records = evaluate(Script(TWO), self.data, EvaluationPlan(substitute_empty=True))
        assert [r.index for r in records] == [0, 1, 2]
        assert records[1].source in {0, 2}
        assert records[1].sample_id == self.data.sample_ids[records[1].source]

    def test_there_must_be_something_to_substitute(self):
        empty = Samples(sample("a", label_map(20, 40)), sample("b", label_map(20, 40)))
        with pytest.raises(DatasetError, match="memory: no image has an object"):
            evaluate(Script(TWO), empty, EvaluationPlan(substitute_empty=True))

    def test_single_takes_each_object_alone_and_opens_the_image_once(self):
        script = Script(label_map(20, 40, (0, 0, 10, 10)))
        plan = EvaluationPlan.single_instance(clicks_per_object=2)
        records = evaluate(script, self.data, plan, indices=[2])
        assert [r.name for r in records] == ["ccc#0", "ccc#1"]
        assert [len(r.ious) for r in records] == [1, 2]  # the second object is never found
        assert len(script.images) == 1
        assert script.asked[1].objects == ((Click.on_pixel(24, 4, 0),),)

    def test_one_generator_for_the_whole_set(self):
        nothing = label_map(20, 40)
        both = evaluate(Script(nothing), self.data, EvaluationPlan(clicks_per_object=4))
        last = evaluate(
            Script(nothing), self.data, EvaluationPlan(clicks_per_object=4), indices=[2]
        )
        again = evaluate(
            Script(nothing), self.data, EvaluationPlan(clicks_per_object=4), indices=[2]
        )
        assert last[0].clicks == again[0].clicks == both[0].clicks
        assert both[1].clicks != both[0].clicks  # the same image, later draws

    def test_the_seed_matters(self):
        nothing = label_map(20, 40)
        first, second = (
            evaluate(Script(nothing), self.data, EvaluationPlan(clicks_per_object=6, seed=seed))[
                0
            ].clicks
            for seed in (0, 1)
        )
        assert first != second


class TestPlan:
    def test_single_instance_has_its_own_budget_and_threshold(self):
        plan = EvaluationPlan.single_instance(seed=3)
        assert (plan.single_object, plan.clicks_per_object, plan.threshold, plan.seed) == (
            True,
            20,
            0.9,
            3,
        )

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"strategy": "luck"}, "strategy 'luck' is not one of best, worst"),
            ({"gesture": "shout"}, "protocol 'shout' is not one of center"),
            ({"threshold": 0.5}, "threshold 0.5 is not in 0.80"),
            ({"clicks_per_object": 0}, "0 clicks per object"),
        ],
    )
    def test_refuses_what_does_not_exist(self, changes, message):
        with pytest.raises(InvalidInputError, match=message):
            EvaluationPlan(**changes)


def test_the_same_answer_again_is_not_timed():
    wrong = label_map(20, 40, (0, 0, 4, 4), (0, 20, 10, 30))
    found = play(Script(wrong, wrong, wrong, TWO))
    assert np.isnan(found.seconds).tolist() == [False, True, True, False]
    assert (found.ious[:3] == found.ious[0]).all()
    assert (found.ious[3] == 1).all()


def test_a_click_that_says_nothing_new_costs_no_answer(monkeypatch):
    model = dynamite.load("lite", random_weights=True)
    predictor = dynamite.Predictor(model)
    opened = ModelSegmenter(predictor).open(np.zeros((64, 96, 3), np.uint8))
    clicks = ClickSet([[Click.on_pixel(20, 20)]], [Click.on_pixel(0, 0, 1)])
    first = opened.segment(clicks)
    with monkeypatch.context() as patch:
        patch.setattr(predictor, "segment", None)
        again = opened.segment(
            ClickSet(clicks.objects, [*clicks.background, Click.on_pixel(0, 0, 2)])
        )
    assert again is first
    assert (
        opened.segment(ClickSet([[Click.on_pixel(20, 20)], [Click.on_pixel(50, 50)]])) is not first
    )


def test_objects_hold_still_unless_all_are_to_be_redrawn():
    predictor = dynamite.Predictor(dynamite.load("lite", random_weights=True))
    image = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
    old = ClickSet([[Click.on_pixel(20, 20)], [Click.on_pixel(50, 50, 1)]])
    new = ClickSet([[*old.objects[0], Click.on_pixel(30, 25, 2)], old.objects[1]])
    held, redrawn = (
        ModelSegmenter(predictor, redraw_all=redraw_all).open(image) for redraw_all in (False, True)
    )
    before = held.segment(old)
    assert np.array_equal(redrawn.segment(old), before)
    joint, answer = redrawn.segment(new), held.segment(new)
    assert np.array_equal(joint, predictor.segment(predictor.encode(image), new).label_map)
    assert np.array_equal(answer == 0, joint == 0)
    others = (answer != 0) & (before != 0)
    assert np.array_equal(answer[others], before[others])
