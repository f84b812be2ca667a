"""Accepted pixels stay; negative clicks find their owner."""

import pytest

from tests.backend.session.page_model import Page, mask_of
from tests.backend.session.rules.answers import assert_disjoint, by_label, only, pixels

# 3: accepted pixels


@pytest.mark.parametrize("wait", [0, 10], ids=["draft is stale", "draft is saved"])
def test_click_outside_after_accept_is_a_new_object(page, wait):
    first = only(page.click("A", 20, 20), "A")
    page.accept_all()
    page.wait(wait)
    result = page.click("A", 60, 40)
    assert only(result, "A")["id"] != first["id"]
    page.accept_all()
    assert len(page.accepted("A")) == 2


@pytest.mark.parametrize("wait", [0, 10], ids=["draft is stale", "draft is saved"])
def test_pending_masks_give_way_to_accepted_ones(page, wait):
    page.click("A", 20, 20)
    page.accept_all()
    page.wait(wait)
    before = page.accepted()
    result = page.click("A", 32, 20)
    assert_disjoint(*before.values(), *pixels(result))
    page.wait(wait)
    result = page.click("B", 26, 28)
    page.accept_all()
    after = page.accepted()
    assert all((after[region] == mask).all() for region, mask in before.items())
    assert_disjoint(*after.values())


def test_hand_painted_mask_is_not_answered_and_keeps_its_pixels(saved):
    stroke = saved.paint("C", 30, 10, 30, 40)
    result = saved.click("A", 25, 20)
    assert set(by_label(result)) == {"A"}
    painted = saved.mask(stroke)
    overlap = mask_of(only(result, "A")) & painted
    assert overlap.sum() <= 0.1 * painted.sum()  # the model of the page rasterizes otherwise


def test_masks_of_a_submitted_annotation_are_respected(page, backend, server):
    page.click("A", 20, 20)
    page.accept_all()
    page.submit()
    backend.restart()
    again = Page(server, backend, user="1")
    result = again.click("B", 28, 20)
    assert_disjoint(*pixels(result), *page.accepted().values())


# 4: negative clicks


def test_negative_click_on_no_other_object_is_background(page):
    page.click("A", 20, 20)
    region = only(page.click("A", 26, 20, positive=False), "A")
    assert not mask_of(region)[20, 26]


def test_negative_click_inside_another_object_is_that_objects(page):
    page.click("A", 20, 20)
    page.click("B", 36, 20)
    result = page.click("A", 32, 24, positive=False)
    assert mask_of(only(result, "B"))[24, 32]
    assert not mask_of(only(result, "A"))[24, 32]


def test_background_label_collects_background_clicks(page):
    page.click("A", 20, 20)
    result = page.click("Background", 26, 20)
    assert set(by_label(result)) == {"A"}
    assert not mask_of(only(result, "A"))[20, 26]


def test_background_click_alone_is_answered_with_nothing(page):
    assert page.click("Background", 26, 20) == []


def test_negative_click_first_is_answered_with_nothing(page):
    assert page.click("A", 26, 20, positive=False) == []
    assert mask_of(only(page.click("A", 20, 20), "A"))[20, 20]


def test_a_click_after_accepting_one_of_several_is_not_lost_by_the_autosave(page):
    """The click on the page's clock right after the accepted answer asks for a mask of its own."""
    page.click("A", 20, 20)
    page.click("B", 45, 40)
    page.wait()
    page.accept_one(only(page.click("A", 22, 20), "A")["id"])
    page.click("A", 70, 40)
    page.wait()
    result = page.click("B", 45, 10)
    assert any(mask_of(region)[40, 70] for region in result)


def test_negative_click_in_its_own_reopened_mask_is_for_that_object(saved):
    """Another pending mask holds the click, too."""
    saved.click("A", 20, 20)
    saved.accept_all()
    saved.click("A", 22, 20)
    taken = mask_of(only(saved.click("B", 28, 20), "B"))
    assert taken[20, 26]
    result = saved.click("A", 26, 20, positive=False)
    assert not any(mask_of(region)[20, 26] for region in result)
