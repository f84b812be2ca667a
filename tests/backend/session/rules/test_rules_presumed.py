"""What a call shows without saying so: what is gone from the page does not come back by itself."""

import pytest

from tests.backend.session.page_model import Page, mask_of
from tests.backend.session.rules.answers import assert_disjoint, by_label, only, pixels

WAITS = pytest.mark.parametrize("wait", [0, 10], ids=["no draft", "an older draft"])


@WAITS
def test_what_was_rejected_with_the_others_is_not_suggested_again(page, wait):
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    page.wait(wait)
    page.reject_all()
    assert set(by_label(page.click("B", 75, 40))) == {"B"}
    assert set(by_label(page.click("C", 40, 10))) == {"B", "C"}
    page.wait()
    assert set(by_label(page.click("C", 44, 10))) == {"B", "C"}


@WAITS
def test_a_deleted_region_is_not_suggested_with_others(page, wait):
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    page.wait(wait)
    page.accept_all()
    (a,) = page.accepted("A")
    page.delete(a)
    assert set(by_label(page.click("B", 20, 50))) == {"B"}


@WAITS
def test_after_an_accept_a_click_inside_never_makes_a_second_region(page, wait):
    first = only(page.click("A", 20, 20), "A")
    page.wait(wait)
    page.accept_all()
    assert only(page.click("A", 24, 20), "A")["id"] == first["id"]


@WAITS
def test_a_click_on_a_part_just_removed_is_a_new_object(page, wait):
    first = only(page.click("A", 20, 20), "A")
    page.accept_all()
    page.wait(10)
    page.click("A", 26, 20, positive=False)
    page.wait(wait)
    page.accept_all()
    left = page.mask(first["id"])
    assert not left[20, 26]
    new = only(page.click("A", 26, 20), "A")
    assert new["id"] != first["id"]
    assert mask_of(new)[20, 26]
    assert_disjoint(left, mask_of(new))
    page.accept_all()
    assert (page.mask(first["id"]) == left).all()


@pytest.mark.parametrize("how", ["reject_all", "undo"])
@WAITS
def test_a_click_taken_back_for_its_wrong_label_leaves_nothing(page, how, wait):
    page.click("A", 20, 20)
    page.wait(wait)
    getattr(page, how)()
    result = page.click("B", 20.6, 20.2)
    assert set(by_label(result)) == {"B"}
    assert mask_of(only(result, "B")).sum() == 256
    page.accept_all()
    page.wait()
    assert set(by_label(page.click("C", 60, 40))) == {"C"}


def test_a_click_elsewhere_on_a_mask_takes_only_what_it_points_at(page):
    page.click("A", 20, 20)
    assert set(by_label(page.click("B", 24, 20))) == {"A", "B"}


def test_an_object_with_more_clicks_keeps_them_under_one_with_another_label(page):
    page.click("A", 20, 20)
    page.click("A", 40, 20)
    assert set(by_label(page.click("B", 20, 20))) == {"A", "B"}


def test_what_was_rejected_gives_way_where_it_is_clicked(page):
    page.click("B", 60, 40)
    page.click("A", 20, 20)
    page.reject_all()
    assert mask_of(only(page.click("B", 24, 20), "B"))[20, [16, 24]].all()


def test_an_undone_accept_brings_all_labels_back(page):
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    page.accept_all()
    assert set(by_label(page.click("B", 75, 20))) == {"B"}
    page.undo()
    page.undo()
    result = page.click("B", 64, 40)
    assert set(by_label(result)) == {"A", "B"}
    assert mask_of(only(result, "A"))[20, 20]
    assert mask_of(only(result, "B"))[40, [60, 64]].all()


def test_clicks_from_before_a_reload_are_used_up_by_an_accept(server, backend):
    page = Page(server, backend)
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    page.reload()
    result = page.click("A", 24, 20)
    assert set(by_label(result)) == {"A", "B"}
    shown = page.shown()
    page.accept_all()
    result = page.click("A", 75, 20)
    assert not shown.keys() & {region["id"] for region in result}
    assert_disjoint(*shown.values(), *pixels(result))
    page.wait()
    assert set(by_label(page.click("B", 40, 50))) == {"A", "B"}
    page.accept_all()
    assert shown.keys() < page.accepted().keys()
    assert len(page.accepted()) == 4


def deleted_after_accept_one(page):
    """A page with a click whose object was accepted by its own tick, and then deleted."""
    region = only(page.click("A", 20, 20), "A")["id"]
    page.accept_one(region)
    page.wait()
    page.click("B", 60, 40)
    page.delete(region)
    page.wait()
    return region


def test_the_click_that_a_deleted_region_leaves_asks_for_nothing(page):
    deleted_after_accept_one(page)
    assert set(by_label(page.click("B", 64, 40))) == {"B"}
    result = page.click("A", 75, 20)
    assert not mask_of(only(result, "A"))[20, 20]


def test_the_click_that_a_deleted_region_leaves_counts_with_one_on_its_mask(page):
    region = deleted_after_accept_one(page)
    result = page.click("A", 25, 20)
    assert only(result, "A")["id"] == region
    assert mask_of(only(result, "A"))[20, [13, 20, 32]].all()


def test_a_click_that_is_back_does_not_bring_back_what_is_older(page):
    """All was accepted before the click on C, which nothing showed at that time."""
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    page.accept_all()
    page.click("C", 40, 10)
    assert set(by_label(page.click("B", 75, 20))) == {"B"}
    assert set(by_label(page.click("C", 44, 10))) == {"B", "C"}
