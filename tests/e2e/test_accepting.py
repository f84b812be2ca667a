"""Accepting and taking back, in the real product: no duplicates, and nothing drawn is lost."""

import pytest
from photo import CAKE, CUP, FREE, beside, inside, pixel

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
