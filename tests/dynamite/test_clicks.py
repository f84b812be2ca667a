import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dynamite import Click, ClickSet, InvalidInputError
from dynamite.clicks import MAX_CLICKS, MAX_TIME


def test_clicks_come_in_query_order_with_their_owners() -> None:
    clicks = ClickSet([[Click(1, 2, 0), Click(3, 4, 2)], [Click(5, 6, 1)]], [Click(7, 8, 3)])
    assert [c.x for c in clicks] == [1, 3, 5, 7]
    assert clicks.owners == [0, 0, 1, -1]
    assert clicks.latest_time == 3
    assert len(clicks) == 4


def test_clicks_scale_each_axis_by_its_factor() -> None:
    scaled = ClickSet([[Click(10, 20, 5)]], [Click(1, 2, 6)]).scaled(2, 0.5)
    assert scaled == ClickSet([[Click(20, 10, 5)]], [Click(2, 1, 6)])


def test_clicks_move_to_the_middle_of_their_pixel() -> None:
    centered = ClickSet([[Click(10.9, 20, 5)]], [Click(0, 2.5, 6)]).pixel_centered()
    assert centered == ClickSet([[Click(10.5, 20.5, 5)]], [Click(0.5, 2.5, 6)])


@pytest.mark.parametrize(
    ("objects", "background", "message"),
    [
        ([], [], "no object"),
        ([], [Click(1, 1)], "no object"),
        ([[Click(1, 1)], []], [], "object 1 has no clicks"),
        ([[Click(math.nan, 1)]], [], "nan"),
        ([[Click(1, 1)]], [Click(math.inf, 1)], "inf"),
        ([[Click(1, 1, -3)]], [], "-3"),
        ([[Click(1, 1)] * (MAX_CLICKS + 1)], [], str(MAX_CLICKS + 1)),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_value(
    objects: list[list[Click]], background: list[Click], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ClickSet(objects, background)


ONE: Any = Click(1, 1)


@pytest.mark.parametrize(
    ("objects", "background", "message"),
    [
        (None, [], "objects=None is not a list"),
        (ONE, [], r"objects=Click\(x=1, y=1, time=0\) is not a list"),
        ([ONE], [], r"objects\[0\]=Click\(x=1, y=1, time=0\) is not a list: give \[Click"),
        ([[ONE], 7], [], r"objects\[1\]=7 is not a list"),
        ([[ONE]], None, "background=None is not a list"),
        ([[ONE]], ONE, r"background=Click\(x=1, y=1, time=0\) is not a list"),
        ([[(5, 6, 0)]], [], r"\(5, 6, 0\) is not a click: give Click\(x, y, time\)"),
        ([[ONE]], [(5, 6)], r"\(5, 6\) is not a click"),
        ("ab", [], "'a' is not a click"),
        ([{"x": 1}], [], "'x' is not a click"),
        (np.array([[[5, 6, 0]]]), [], r"array\(\[5, 6, 0\]\) is not a click"),
    ],
)
def test_what_is_no_list_of_clicks_is_refused_with_its_value(
    objects: Any, background: Any, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ClickSet(objects, background)


@pytest.mark.parametrize(
    "x", ["3", None, True, 1 + 2j, 10**400, np.array([1, 2]), np.array([1.0]), np.True_, b"1"]
)
def test_a_position_is_two_real_numbers(x: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"click \(x=.*, y=1\) is not a finite position"):
        ClickSet([[Click(x, 1)]])
    with pytest.raises(InvalidInputError, match=r"click \(x=1, y=.*\) is not a finite position"):
        ClickSet([[ONE]], [Click(1, x)])


@pytest.mark.parametrize(
    "time", [math.nan, math.inf, 10**400, MAX_TIME + 1, 1.5, True, None, "1", np.array([1])]
)
def test_a_time_is_a_whole_number(time: Any) -> None:
    with pytest.raises(
        InvalidInputError, match=r"click time .* is not a whole number from 0 to 900"
    ):
        ClickSet([[Click(3, 1, time)]])


def test_numbers_of_numpy_and_torch_become_plain_and_iterators_lists() -> None:
    own: Any = Click(np.float32(3.5), torch.tensor(4), np.int64(2))  # type: ignore[arg-type]
    other: Any = Click(np.array(1), 2, torch.tensor(2.0))  # type: ignore[arg-type]
    clicks = ClickSet((iter([one]) for one in (own, other)), (one for one in [Click(0, 0, 2)]))
    assert list(clicks) == [Click(3.5, 4, 2), Click(1, 2, 2), Click(0, 0, 2)]
    assert {type(value) for c in clicks for value in (c.x, c.y)} == {float}
    assert {type(c.time) for c in clicks} == {int}


def test_a_click_of_plain_numbers_is_taken_as_it_is() -> None:
    plain, other = Click(1.5, 2.0, 3), Click(1, 2.0, 3)
    taken, made = ClickSet([[plain]], [other])
    assert taken is plain
    assert type(made.x) is float


@pytest.mark.parametrize(
    "click", [Click(math.nan, 1.0), Click(1.0, -math.inf), Click(1.0, 1.0, MAX_TIME + 1)]
)
def test_plain_numbers_are_checked_too(click: Click) -> None:
    with pytest.raises(InvalidInputError):
        ClickSet([[click]])


def test_the_latest_time_there_is_may_be_used() -> None:
    assert ClickSet([[Click(1, 1, MAX_TIME)]]).latest_time == MAX_TIME


@pytest.mark.parametrize("click", [Click(64, 3), Click(-0.5, 3), Click(3, 48), Click(3, -1)])
def test_a_click_outside_the_image_names_click_and_image(click: Click) -> None:
    with pytest.raises(InvalidInputError, match=rf"x={click.x:g}, y={click.y:g}.*64×48"):
        ClickSet([[click]]).check_inside(48, 64)


def test_a_click_on_the_last_fraction_of_a_pixel_is_inside() -> None:
    ClickSet([[Click(63.99, 47.99)]]).check_inside(48, 64)


def test_a_click_just_outside_is_told_exactly() -> None:
    with pytest.raises(InvalidInputError, match=r"x=64\.0000001, y=3\) is outside"):
        ClickSet([[Click(64.0000001, 3)]]).check_inside(48, 64)


def test_a_click_said_again_counts_once_and_the_earliest_stays() -> None:
    one, again = Click(3.2, 1.0, 4), Click(3.9, 1.5, 2)
    clicks = ClickSet([[one, again, Click(4.0, 1.0, 5)]], [Click(0, 0, 7), Click(0.5, 0.5, 8)])
    assert clicks.without_repeats() == ClickSet([[again, Click(4.0, 1.0, 5)]], [Click(0, 0, 7)])


def test_who_clicks_where_another_clicked_in_between_has_the_last_word() -> None:
    mine, others, mine_again = (Click(3, 1, time) for time in range(3))
    clicks = ClickSet([[mine, mine_again]], [others])
    assert clicks.without_repeats() is clicks


@given(
    st.lists(
        st.tuples(st.integers(-1, 2), st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)),
        max_size=12,
    )
)
def test_without_repeats_every_pixel_was_told_the_same_in_the_same_order(
    drawn: list[tuple[int, int, int, int]],
) -> None:
    owned = [(owner, Click(x, y, time)) for owner, x, y, time in drawn]
    owned += [(owner, Click(5, 5 + owner)) for owner in range(3)]
    clicks = ClickSet(
        [[click for owner, click in owned if owner == index] for index in range(3)],
        [click for owner, click in owned if owner < 0],
    )

    def owners_by_pixel(given: ClickSet) -> dict[tuple[float, float], list[int]]:
        """The owners of each pixel's clicks by time, consecutive repetitions left out."""
        found: dict[tuple[float, float], list[int]] = {}
        order = sorted(zip(given.owners, given, strict=True), key=lambda owned: owned[1].time)
        for owner, click in order:
            owners = found.setdefault((click.x, click.y), [])
            if owners[-1:] != [owner]:
                owners.append(owner)
        return found

    once = clicks.without_repeats()
    assert owners_by_pixel(once) == owners_by_pixel(clicks)
    assert len(once) == sum(map(len, owners_by_pixel(clicks).values()))
    assert once.without_repeats() is once
