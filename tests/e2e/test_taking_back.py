"""What is rejected, deleted or undone, in the real product: it does not come back by itself.

The page makes no call for any of it, and saves a draft only every five seconds.
"""

import pytest
from photo import CAKE, CUP, FREE, by_label, inside, pixel

pytestmark = pytest.mark.e2e

SAVED = pytest.mark.parametrize("saved", [False, True], ids=["no draft", "an older draft"])


def near(place):
    """Close to a place, on the same object."""
    return place[0] + 0.7, place[1]


def both(demo, person, *, saved):
    """A mask of the cake and one of the cup; ``saved``: a draft has shown their clicks."""
    person.click("Cake", *CAKE)
    person.click("Cup", *CUP)
    if saved:
        person.wait_until_saved(demo.api, person.task, masks=0, clicks=2)
    return by_label(person.suggestions())


@SAVED
def test_what_was_rejected_with_all_others_stays_away(demo, on_cake, saved):
    both(demo, on_cake, saved=saved)
    on_cake.reject_all()
    on_cake.click("Cup", CUP[0] + 3, CUP[1])
    assert set(by_label(on_cake.suggestions())) == {"Cup"}
    on_cake.accept_all()
    assert set(by_label(on_cake.regions())) == {"Cup"}


@SAVED
def test_a_deleted_mask_stays_away(demo, on_cake, saved):
    both(demo, on_cake, saved=saved)
    on_cake.accept_all()
    on_cake.delete_mask("Cake")
    on_cake.click("Cup", *FREE)
    assert "Cake" not in {region.labels[0] for region in on_cake.suggestions()}
    on_cake.accept_all()
    assert "Cake" not in {region.labels[0] for region in on_cake.regions()}


def test_what_was_accepted_does_not_change_with_the_next_object(demo, on_cake):
    before = both(demo, on_cake, saved=False)
    on_cake.accept_all()
    on_cake.click("Cup", *FREE)
    on_cake.accept_all()
    after = {region.id: region.mask for region in on_cake.regions()}
    assert all((after[region.id] == region.mask).all() for region in before.values())


def test_an_accept_after_a_draft_is_one_for_the_click_inside(demo, on_cake):
    on_cake.click("Cake", *CAKE)
    on_cake.wait_until_saved(demo.api, on_cake.task, masks=0, clicks=1)
    (first,) = on_cake.suggestions()
    on_cake.accept_all()
    on_cake.click("Cake", *inside(first.mask, CAKE), inside=True)
    on_cake.accept_all()
    assert [region.id for region in on_cake.regions()] == [first.id]


def test_a_click_on_a_part_just_removed_is_a_new_object(demo, on_cake):
    on_cake.click("Cake", *CAKE)
    (first,) = on_cake.suggestions()
    on_cake.accept_all()
    on_cake.wait_until_saved(demo.api, on_cake.task, masks=1)
    removed = inside(first.mask, CAKE)
    on_cake.click("Cake", *removed, negative=True, inside=True)
    on_cake.accept_all()
    (left,) = on_cake.regions()
    assert not pixel(left.mask, removed)
    on_cake.click("Cake", *removed)
    (new,) = on_cake.suggestions()
    assert new.id != first.id
    assert pixel(new.mask, removed)
    on_cake.accept_all()
    masks = {region.id: region.mask for region in on_cake.regions()}
    assert masks.keys() == {first.id, new.id}
    assert (masks[first.id] == left.mask).all()


@pytest.mark.parametrize("take_back", ["reject_all", "undo"])
def test_a_wrong_label_leaves_nothing(on_cake, take_back):
    on_cake.click("Cake", *CUP)
    getattr(on_cake, take_back)()
    on_cake.click("Cup", *near(CUP))
    assert set(by_label(on_cake.suggestions())) == {"Cup"}


def test_after_a_reload_one_click_brings_all_masks_back(demo, person):
    project, (task,) = demo.project()
    person.open_task(project, task)
    before = both(demo, person, saved=True)
    person.open_task(project, task)
    assert not person.suggestions()
    person.click("Cup", CUP[0] + 3, CUP[1])
    again = by_label(person.suggestions())
    assert {label: region.id for label, region in again.items()} == {
        label: region.id for label, region in before.items()
    }
    person.accept_all()
    person.click("Cup", *FREE)  # the old dots are there still, and nothing shows the accept
    (new,) = person.suggestions()
    assert new.id not in {region.id for region in before.values()}


def test_escape_keeps_an_active_label_off_what_is_accepted(demo, on_cake):
    both(demo, on_cake, saved=False)
    on_cake.label("mask", "Cup")
    on_cake.browser.press("Escape")
    on_cake.accept_all()
    assert set(by_label(on_cake.regions())) == {"Cake", "Cup"}
