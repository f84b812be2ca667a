"""Each strategy against a sequence of choices worked out by hand."""

from random import Random

import numpy as np
import pytest

from training.evaluation.strategies import ANY_OBJECT, STRATEGIES

LOW = np.array([0.5, 0.2, 0.7, 0.2])


class LastChoice(Random):
    """Takes the last candidate and records the candidates."""

    def __init__(self):
        super().__init__(0)
        self.offered = []

    def choice(self, seq):
        self.offered.append(list(seq))
        return seq[-1]


def strategy(name, count, *, threshold=0.85, clicks_per_object=10, rng=None):
    return STRATEGIES[name](count, threshold, clicks_per_object, rng or Random(0))


def test_best_and_worst_take_the_first_of_equals_below_the_threshold():
    assert strategy("best", 4).choose(LOW) == 2
    assert strategy("worst", 4).choose(LOW) == 1
    assert strategy("best", 4).choose(np.array([0.9, 0.3, 0.85, 0.3])) == 1  # 0.85 is good
    assert strategy("worst", 3).choose(np.array([0.9, 0.84, 0.95])) == 1


@pytest.mark.parametrize("name", ["best", "worst", "random", "round_robin", "wlb"])
def test_an_object_that_is_nowhere_is_never_chosen(name):
    chosen = strategy(name, 3)
    assert {chosen.choose(np.array([np.nan, 0.1, np.nan])) for _ in range(25)} == {1}


def test_random_shuffles_one_order_again_and_again():
    rng = Random(123456)
    chosen = strategy("random", 4, rng=rng)
    # Python shuffles [0, 1, 2, 3] to 1302, that to 3201, to 0123, to 2130.
    assert [chosen.choose(np.zeros(4)) for _ in range(4)] == [1, 3, 0, 2]
    again = strategy("random", 4, rng=Random(123456))
    high = np.array([0.9, 0.1, 0.1, 0.9])
    assert [again.choose(high) for _ in range(4)] == [1, 2, 1, 2]


def test_max_dt_chooses_no_object():
    assert strategy("max_dt", 4).choose(LOW) == ANY_OBJECT


def test_worst_with_limit_counts_the_first_click_and_gives_up_to_the_best():
    chosen = strategy("wlb", 3, clicks_per_object=3)
    ious = np.array([0.2, 0.5, 0.4])
    # Each has had 1 click; the worst gets two more, then the next worst, then the last.
    assert [chosen.choose(ious) for _ in range(6)] == [0, 0, 2, 2, 1, 1]
    # All have had three: now the best one below the threshold.
    assert [chosen.choose(ious) for _ in range(2)] == [1, 1]
    assert chosen.choose(np.array([0.2, 0.9, 0.4])) == 2


class TestRoundRobin:
    low = np.zeros(3)

    def test_ten_clicks_running_with_the_first_one_counted(self):
        rng = LastChoice()
        chosen = strategy("round_robin", 3, rng=rng)
        # 2 has 1 click and gets 9 more; then 1, whose count was set to 0, gets 10.
        assert [chosen.choose(self.low) for _ in range(9)] == [2] * 9
        assert [chosen.choose(self.low) for _ in range(10)] == [1] * 10
        assert [chosen.choose(self.low) for _ in range(10)] == [2] * 10
        assert rng.offered == [[0, 1, 2], [0, 1], [0, 2]]

    def test_a_good_object_is_left_at_once(self):
        rng = LastChoice()
        chosen = strategy("round_robin", 3, rng=rng)
        assert [chosen.choose(self.low) for _ in range(3)] == [2] * 3
        good = np.array([0.0, 0.0, 0.9])
        assert [chosen.choose(good) for _ in range(10)] == [1] * 10
        # 1 is exhausted, 2 is good: only 0 is left
        assert chosen.choose(good) == 0
        assert rng.offered == [[0, 1, 2], [0, 1], [0]]

    def test_the_last_one_goes_on_after_a_restart(self):
        rng = LastChoice()
        chosen = strategy("round_robin", 2, rng=rng)
        only = np.array([0.1, 0.9])
        assert [chosen.choose(only) for _ in range(18)] == [0] * 18
        assert rng.offered == [[0], [0]]  # after 9 clicks all counts start again at 1
        chosen.choose(only)
        assert rng.offered == [[0], [0], [0]]
