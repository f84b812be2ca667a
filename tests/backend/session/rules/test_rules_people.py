"""Two annotators; rectangles and strokes."""

import pytest

from tests.backend.session.page_model import HEIGHT, WIDTH, Page, mask_of
from tests.backend.session.rules.answers import assert_disjoint, by_label, only, pixels

# two annotators


def test_two_annotators_do_not_see_each_other_once_saved(server, backend):
    one = Page(server, backend, user="1", instant_save=True)
    two = Page(server, backend, user="2", instant_save=True)
    one.click("A", 20, 20)
    two.click("B", 60, 40)
    assert set(by_label(one.click("A", 24, 20))) == {"A"}
    assert set(by_label(two.click("B", 64, 40))) == {"B"}
    region = only(two.click("A", 20, 50), "A")
    assert not mask_of(region)[20, 20]


def test_two_annotators_with_the_same_label_before_any_draft_lose_nothing(server, backend):
    one, two = (Page(server, backend, user=user) for user in "12")
    one.click("A", 20, 20)
    two.click("A", 60, 40)
    first = only(one.click("A", 24, 20), "A")
    assert mask_of(first)[20, [20, 24]].all()
    second = only(two.click("A", 64, 40), "A")
    assert mask_of(second)[40, [60, 64]].all()
    one.accept_all()
    two.accept_all()
    one.wait()
    two.wait()
    region = only(one.click("A", 60, 40), "A")
    assert region["id"] not in two.accepted()
    assert mask_of(region)[40, 60]


# 6: rectangles


def test_rectangle_is_one_object_inside_it(page):
    region = only(page.rectangle("A", 14, 16, 10, 8), "A")
    mask = mask_of(region)
    assert mask.any()
    assert not mask[:, :13].any()
    assert not mask[:, 25:].any()
    assert not mask[:15].any()
    assert not mask[25:].any()


def test_two_rectangles_of_a_label_are_two_objects(page):
    first = only(page.rectangle("A", 10, 10, 12, 12), "A")
    result = page.rectangle("A", 50, 10, 12, 12)
    assert len(result) == 2
    assert first["id"] in {region["id"] for region in result}
    assert_disjoint(*pixels(result))


def test_click_inside_a_rectangle_refines_its_object(page):
    first = only(page.rectangle("A", 10, 10, 16, 16), "A")
    region = only(page.click("A", 24, 24), "A")
    assert region["id"] == first["id"]
    assert not mask_of(region)[30:].any()


def test_a_reopened_rectangle_collects_clicks_beyond_it(saved):
    first = only(saved.rectangle("A", 10, 10, 12, 12), "A")
    saved.accept_all()
    inside = only(saved.click("A", 16, 16), "A")
    assert inside["id"] == first["id"]
    assert not mask_of(inside)[:, 23:].any()  # nothing has pointed beyond the rectangle
    region = only(saved.click("A", 34, 16), "A")
    assert region["id"] == first["id"]
    assert mask_of(region)[16, [16, 34]].all()


@pytest.mark.parametrize("server", ["brush"], indirect=True)
def test_click_on_a_painted_stroke_turns_it_into_the_mask(saved):
    stroke = saved.paint("A", 20, 20, 50, 20)
    region = only(saved.click("A", 30, 20), "A")
    assert region["id"] == stroke
    assert mask_of(region)[26, 22:48].all()  # far from the only click, near the stroke
    saved.accept_all()
    assert list(saved.accepted()) == [stroke]


def test_regions_are_inside_the_size_of_the_image(page):
    mask = mask_of(only(page.click("A", WIDTH - 0.01, HEIGHT - 0.01), "A"))
    assert mask[HEIGHT - 1, WIDTH - 1]
