"""Accepting and taking back, in the real product: no duplicates, and nothing drawn is lost."""

import pytest
from photo import CAKE, CUP, FREE, beside, by_label, inside, pixel

pytestmark = pytest.mark.e2e


@pytest.fixture
def auto(on_cake):
    """A person who has switched Auto-Accept on."""
    on_cake.auto_accept(on=True)
    yield on_cake
    on_cake.auto_accept(on=False)  # the browser remembers it


def masks(regions):
    return {region.id: region.mask for region in regions}


def test_auto_accept_a_click_inside_a_mask_refines_it(auto):
    auto.click("Cake", *CAKE)
    (first,) = auto.regions()
    wrong = inside(first.mask, CAKE)
    auto.click("Cake", *wrong, negative=True, inside=True)
    (without,) = auto.regions()
    assert without.id == first.id
    assert not pixel(without.mask, wrong)
    assert pixel(without.mask, CAKE)
    further = inside(without.mask, CAKE)
    auto.click("Cake", *further, inside=True)
    (third,) = auto.regions()
    assert third.id == first.id
    assert pixel(third.mask, further)
    assert not pixel(third.mask, wrong), "the earlier click is forgotten"


def test_auto_accept_a_click_outside_is_a_new_object(demo, auto):
    auto.click("Cake", *CAKE)
    (first,) = auto.regions()
    auto.wait_until_saved(demo.api, auto.task, masks=1)
    auto.click("Cake", *beside(first.mask))
    assert len(auto.regions()) == 2
    auto.wait_until_saved(demo.api, auto.task, masks=2)
    second = masks(auto.regions())
    auto.click("Cup", *FREE)
    third = masks(auto.regions())
    assert second.keys() < third.keys()
    assert (second[first.id] == first.mask).all()
    assert all((third[region] == mask).all() for region, mask in second.items())
    assert sum(third.values()).max() <= 1


def test_auto_accept_leaves_what_was_painted(demo, auto):
    auto.paint("Cup", CAKE, (CAKE[0] + 4, CAKE[1]))
    auto.wait_until_saved(demo.api, auto.task, masks=1)
    auto.click("Cake", CAKE[0], CAKE[1] - 12)
    auto.click("Cup", *CUP)
    assert sorted(auto.painted()) == [("Cake",), ("Cup",), ("Cup",)]
    (cake,) = [region for region in auto.regions() if region.labels == ("Cake",)]
    assert not pixel(cake.mask, (CAKE[0] + 2, CAKE[1]))


def test_accept_one_of_several_leaves_the_others_joint(demo, person):
    project, (task,) = demo.project(labels=("Cup", "Cake", "Plate"))
    person.open_task(project, task)
    person.click("Cake", *CAKE)
    person.click("Cup", *CUP)
    before = by_label(person.suggestions())
    person.accept(before["Cake"].id)
    assert [region.id for region in person.suggestions()] == [before["Cup"].id]
    person.wait_until_saved(demo.api, task, masks=1)
    spill = inside(before["Cup"].mask, CUP)
    person.click("Plate", *spill)
    found = by_label(person.suggestions())
    assert set(found) == {"Cup", "Plate"}
    assert found["Cup"].id == before["Cup"].id
    assert pixel(found["Plate"].mask, spill)
    assert not pixel(found["Cup"].mask, spill), "Plate did not take the spill from Cup"
    person.accept_all()
    regions = masks(person.regions())
    assert set(regions) == {before["Cake"].id, before["Cup"].id, found["Plate"].id}
    assert (regions[before["Cake"].id] == before["Cake"].mask).all()
    assert sum(mask.astype(int) for mask in regions.values()).max() <= 1


def test_accept_one_and_go_on_before_anything_is_saved(on_cake):
    on_cake.click("Cake", *CAKE)
    on_cake.click("Cup", *CUP)
    before = by_label(on_cake.suggestions())
    on_cake.accept(before["Cake"].id)
    on_cake.click("Cup", CUP[0] + 5, CUP[1])
    on_cake.accept_all()
    found = by_label(on_cake.regions())
    assert {label: region.id for label, region in found.items()} == {
        label: region.id for label, region in before.items()
    }
    assert pixel(found["Cake"].mask, CAKE)
    assert not (found["Cake"].mask & found["Cup"].mask).any()
    changed = found["Cake"].mask != before["Cake"].mask
    assert not changed[~(before["Cup"].mask | found["Cup"].mask)].any(), "only Cup was clicked"


@pytest.mark.parametrize("saved", [True, False], ids=["draft saved", "draft not saved"])
def test_an_accept_is_undone_and_the_object_goes_on(demo, on_cake, saved):
    on_cake.click("Cake", *CAKE)
    (first,) = on_cake.suggestions()
    on_cake.accept_all()
    if saved:
        on_cake.wait_until_saved(demo.api, on_cake.task, masks=1)
    on_cake.undo()
    on_cake.browser.until(lambda: not on_cake.regions(), "the region to go")
    further = inside(first.mask, CAKE)
    on_cake.click("Cake", *further)
    (again,) = on_cake.suggestions()
    assert again.id == first.id
    assert pixel(again.mask, CAKE)
    assert pixel(again.mask, further)
    on_cake.accept_all()
    (accepted,) = on_cake.regions()
    assert accepted.id == first.id


def test_an_undone_update_leaves_what_was_accepted_before(demo, on_cake):
    on_cake.click("Cake", *CAKE)
    on_cake.accept_all()
    (first,) = on_cake.regions()
    on_cake.wait_until_saved(demo.api, on_cake.task, masks=1)
    wrong = inside(first.mask, CAKE)
    on_cake.click("Cake", *wrong, negative=True, inside=True)
    on_cake.accept_all()
    on_cake.undo()
    on_cake.browser.until(lambda: pixel(on_cake.regions()[0].mask, wrong), "the update to go")
    # Undoing sends no call: that the update is gone can only be seen in a saved draft.
    on_cake.browser.until(
        lambda: pixel(on_cake.saved_mask(demo.api, on_cake.task, first.id), wrong),
        "the draft without the update",
    )
    on_cake.click("Cup", *CUP)
    found = by_label(on_cake.suggestions())
    on_cake.accept(found["Cup"].id)
    regions = masks(on_cake.regions())
    assert (regions[first.id] == first.mask).all()
    # Its negative click is there still, so the cake is open: what it asks for now is left to it.
    standing = found.get("Cake", first)
    assert not (regions[found["Cup"].id] & standing.mask).any()


def test_a_rejected_one_comes_back_until_its_click_is_deleted(demo, on_cake):
    on_cake.click("Cake", *CAKE)
    on_cake.click("Cup", *CUP)
    before = by_label(on_cake.suggestions())
    on_cake.reject(before["Cake"].id)
    on_cake.click("Cup", CUP[0] + 5, CUP[1])  # the click on the cake is there still
    found = by_label(on_cake.suggestions())
    assert {label: region.id for label, region in found.items()} == {
        label: region.id for label, region in before.items()
    }
    on_cake.wait_until_saved(demo.api, on_cake.task, masks=0, clicks=3)
    on_cake.delete_click("Cake")
    on_cake.wait_until_saved(demo.api, on_cake.task, masks=0, clicks=2)
    on_cake.click("Cup", CUP[0] + 5, CUP[1] + 5)
    (cup,) = on_cake.suggestions()
    assert cup.id == before["Cup"].id
    on_cake.accept_all()
    assert [region.id for region in on_cake.regions()] == [cup.id]
