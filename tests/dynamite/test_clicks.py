import math

import pytest

from dynamite import Click, ClickSet, InvalidInputError
from dynamite.clicks import MAX_CLICKS


def test_clicks_come_in_query_order_with_their_owners() -> None:
    clicks = ClickSet([[Click(1, 2, 0), Click(3, 4, 2)], [Click(5, 6, 1)]], [Click(7, 8, 3)])
    assert [c.x for c in clicks] == [1, 3, 5, 7]
    assert clicks.owners == [0, 0, 1, -1]
    assert clicks.latest_time == 3
    assert len(clicks) == 4


def test_clicks_move_into_a_crop_and_scale() -> None:
    moved = ClickSet([[Click(10, 20, 5)]]).moved(left=4, top=8, scale_x=2, scale_y=0.5)
    assert moved.objects == ((Click(12, 6, 5),),)


@pytest.mark.parametrize(
    ("objects", "background", "said"),
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
    objects: list[list[Click]], background: list[Click], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        ClickSet(objects, background)


@pytest.mark.parametrize("click", [Click(64, 3), Click(-0.5, 3), Click(3, 48), Click(3, -1)])
def test_a_click_outside_the_image_names_click_and_image(click: Click) -> None:
    with pytest.raises(InvalidInputError, match=rf"x={click.x:g}, y={click.y:g}.*64×48"):
        ClickSet([[click]]).check_inside(48, 64)


def test_a_click_on_the_last_fraction_of_a_pixel_is_inside() -> None:
    ClickSet([[Click(63.99, 47.99)]]).check_inside(48, 64)
