"""A click on A changes B only where A takes pixels from B or gives pixels up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dynamite import Click, ClickSet, InvalidInputError, Predictor, Shown
from dynamite.network.model import DynaMITE
from dynamite.predict.hold_still import hold_still
from tests.dynamite.golden import make_image

label_maps = arrays(np.int16, (9, 11), elements=st.integers(-1, 3))


@given(answer=label_maps, before=label_maps, moved=st.sets(st.integers(0, 3)))
def test_others_change_only_where_a_moved_object_takes_or_gives(
    answer: np.ndarray, before: np.ndarray, moved: set[int]
) -> None:
    held = hold_still(answer, Shown(before, moved))
    for index in range(4):
        was, is_now = before == index, held == index
        if index in moved:
            assert np.array_equal(is_now, answer == index)
            continue
        assert np.isin(held[was & ~is_now], list(moved)).all() or not moved
        assert np.isin(before[is_now & ~was], list(moved)).all()


@given(answer=label_maps, before=label_maps)
def test_where_all_move_the_answer_is_shown_and_where_none_does_nothing_changes(
    answer: np.ndarray, before: np.ndarray
) -> None:
    assert np.array_equal(hold_still(answer, Shown(before, {0, 1, 2, 3})), answer)
    assert np.array_equal(hold_still(answer, Shown(before, set())), before)


def test_the_inputs_are_left_as_they_are() -> None:
    answer, before = np.zeros((4, 5), np.int16), np.full((4, 5), -1, np.int16)
    held = hold_still(answer, Shown(before, {0}))
    held[:] = 7
    assert (answer == 0).all()
    assert (before == -1).all()


def test_who_moves_is_who_has_new_clicks_or_clicks_against() -> None:
    shown = np.full((10, 30), -1, np.int16)
    shown[:, :10], shown[:, 10:20] = 0, 1
    first, second = Click(4.5, 4.5, 0), Click(14.5, 4.5, 1)
    old = ClickSet([[first], [second]])

    def moved(*objects: list[Click], background: tuple[Click, ...] = ()) -> set[int]:
        return set(Shown.before(shown, old, ClickSet(objects, background)).moved)

    assert moved([first], [second]) == set()
    assert moved([first], [second, Click(5, 5, 2)]) == {1}
    assert moved([first], [second], [Click(25, 5, 2)]) == {2}
    assert moved([first], [second], background=(Click(2, 2, 2),)) == {0}
    assert moved([first], [second], background=(Click(22, 2, 2),)) == set()
    assert moved([Click(3, 3, 0)], [second]) == {0}


def test_a_click_on_the_spill_takes_it_back() -> None:
    before = np.full((6, 20), -1, np.int16)
    before[:, :14], before[:, 14:] = 0, 1  # object 0 reaches over the true border at 10
    answer = np.where(np.arange(20) < 10, 0, 1).astype(np.int16)[None].repeat(6, 0)
    assert np.array_equal(hold_still(answer, Shown(before, {1})), answer)


def test_another_size_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"has shape \(4, 5\), the answer \(8, 10\)"):
        hold_still(np.zeros((8, 10), np.int16), Shown(np.zeros((4, 5), np.int16), {0}))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
def test_in_the_predictor_a_click_leaves_the_others_alone(lite: DynaMITE, seed: int) -> None:
    predictor, rng = Predictor(lite, resize=None), np.random.default_rng(seed)
    features = predictor.encode(make_image(96, 128))
    a, b, c, d = (Click(*rng.uniform(0, (128, 96)), time) for time in range(4))
    old = ClickSet([[a], [b], [c]])
    first = predictor.segment(features, old)
    new = ClickSet([[a], [b, d], [c]])
    shown = Shown.before(first.label_map, old, new)
    second = predictor.segment(features, new, shown=shown).label_map
    changed = second != first.label_map
    assert ((second == 1) | (first.label_map == 1))[changed].all()
    joint = predictor.segment(features, new).label_map
    assert np.array_equal(second == 1, joint == 1)


def test_what_was_shown_belongs_to_one_image(lite: DynaMITE) -> None:
    predictor = Predictor(lite, resize=None)
    clicks = ClickSet([[Click(5, 5)]])
    both = predictor.encode([make_image(32, 32), make_image(32, 32)])
    with pytest.raises(InvalidInputError, match="one by one"):
        predictor.segment(both, [clicks] * 2, shown=Shown(np.zeros((32, 32), np.int16), {0}))
