import numpy as np
import pytest

from training.retraining.gate import chance_of, judge
from training.retraining.options import JobOptions

OPTIONS = JobOptions(judge_least=8, judge_margin=0.02, judge_tolerance=0.03)


def pairs(before, after, count=12, noise=0.0):
    rng = np.random.default_rng(1)
    found = np.tile([before, after], (count, 1)).astype(float)
    return found + noise * rng.standard_normal((count, 2))


def decide(held_out, base=None):
    return judge(held_out, base, OPTIONS, np.random.default_rng(0))


def test_better_on_held_out_images_and_as_good_on_the_base_set_is_published():
    verdict = decide(pairs(5, 4), pairs(3, 3.05))
    assert verdict.published
    assert verdict.gain == pytest.approx(0.2)
    assert verdict.rise == pytest.approx(0.05 / 3)


@pytest.mark.parametrize(
    ("held_out", "base", "reason"),
    [
        (pairs(5, 4, count=7), None, "only 7 held-out images"),
        (pairs(5, 4.95), None, "needs at least"),
        (pairs(5, 5.5), None, "needs at least"),
        (pairs(5, 4.5, noise=3), None, "may be luck"),
        (pairs(5, 4), pairs(3, 3.2), "forgets too much"),
        (np.zeros((0, 2)), None, "only 0"),
    ],
)
def test_anything_else_is_not(held_out, base, reason):
    verdict = decide(held_out, base)
    assert not verdict.published
    assert reason in verdict.reason


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_never_published(bad):
    broken = pairs(5, 4)
    broken[3, 1] = bad
    assert "no number" in decide(broken).reason
    assert "no number" in decide(np.full((12, 2), bad)).reason
    verdict = decide(pairs(5, 4), np.full((12, 2), bad))
    assert not verdict.published
    without_a_margin = OPTIONS.model_copy(update={"judge_margin": float("nan")})
    assert not judge(pairs(5, 4), None, without_a_margin, np.random.default_rng(0)).published


def test_without_a_base_set_it_says_that_forgetting_was_not_measured():
    assert "forgetting was not measured" in decide(pairs(5, 4)).reason


def test_the_paired_test_is_that_of_signs():
    rng = np.random.default_rng(0)
    # All of n differences positive: only one of 2ⁿ sign patterns is as high.
    assert chance_of(np.ones(6), rng) == pytest.approx(1 / 64, abs=0.005)
    assert chance_of(np.array([1.0, -1.0] * 5), rng) > 0.5
    assert chance_of(np.zeros(9), rng) == 1
