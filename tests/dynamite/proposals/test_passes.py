import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite.clicks import Click
from dynamite.predict.predictor import Segmentation
from dynamite.proposals.passes import MOST_OBJECTS, MOST_SEEDS, segment_in_passes

SIZE = 160, 200
REACH = 5


class Network:
    """Draws a square around each click, the later ones over the earlier ones."""

    def __init__(self):
        self.passes = []

    def __call__(self, clicks):
        self.passes.append(clicks)
        answer = np.full(SIZE, -1, np.int16)
        scores = np.zeros(len(clicks.objects), np.float32)
        for index, (click,) in enumerate(clicks.objects):
            top, left = max(0, int(click.y) - REACH), max(0, int(click.x) - REACH)
            answer[top : int(click.y) + REACH, left : int(click.x) + REACH] = index
            scores[index] = score_of(click)
        return Segmentation(answer, scores)


def score_of(click):
    return np.float32((click.x + click.y) / sum(SIZE))


def grid(count, step=10):
    """So many clicks in rows, each in a square of its own."""
    per_row = SIZE[1] // step
    return [
        Click(step // 2 + step * (i % per_row), step // 2 + step * (i // per_row), i)
        for i in range(count)
    ]


def test_what_one_pass_holds_is_segmented_in_one():
    network, clicks = Network(), grid(MOST_OBJECTS)
    found = segment_in_passes(clicks[:40], clicks[40:], network)
    (alone,) = network.passes
    assert [one for (one,) in alone.objects] == clicks
    assert len(found.scores) == 40
    assert set(np.unique(found.label_map)) == set(range(-1, 40))


@pytest.mark.parametrize(("seeds", "others"), [(65, 0), (100, 100), (33, 32), (1, 64), (200, 0)])
def test_more_are_segmented_in_passes_that_are_bounded(seeds, others):
    network, clicks = Network(), grid(seeds + others)
    found = segment_in_passes(clicks[:seeds], clicks[seeds:], network)
    assert len(network.passes) == -(-seeds // MOST_SEEDS)
    for one in network.passes:
        assert len(one.objects) <= MOST_OBJECTS
        assert [click.time for (click,) in one.objects] == list(range(len(one.objects)))
    for index, seed in enumerate(clicks[:seeds]):
        assert found.label_map[int(seed.y), int(seed.x)] == index
        assert found.scores[index] == score_of(seed)
    assert found.label_map.max() == seeds - 1


def test_a_pass_sees_the_clicks_next_to_its_seeds():
    network, clicks = Network(), grid(180)
    segment_in_passes(clicks, [], network)
    assert len(network.passes) > 1
    for one in network.passes:
        seen = {(click.x, click.y) for (click,) in one.objects}
        first = one.objects[0][0]
        beside = {(c.x, c.y) for c in clicks if abs(c.x - first.x) + abs(c.y - first.y) <= 10}
        assert beside <= seen


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, SIZE[1] - 1), st.integers(0, SIZE[0] - 1)),
        min_size=1,
        max_size=230,
    ),
    st.floats(0, 1),
)
def test_masks_stay_disjoint_and_each_seed_has_its_score(places, share):
    clicks = [Click(x + 0.5, y + 0.5, i) for i, (x, y) in enumerate(places)]
    count = max(1, int(share * len(clicks)))
    network = Network()
    found = segment_in_passes(clicks[:count], clicks[count:], network)
    assert found.label_map.shape == SIZE
    assert found.label_map.dtype == np.int16
    assert -1 <= found.label_map.min() <= found.label_map.max() < count
    assert found.scores.tolist() == [score_of(click) for click in clicks[:count]]
    assert all(len(one.objects) <= MOST_OBJECTS for one in network.passes)
