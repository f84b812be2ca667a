"""An accepted mask is opened again in the real product, by every way that the page leaves to it."""

import pytest
from photo import CAKE, CUP, by_label
from reopening import ways
from same import as_answered, same

pytestmark = pytest.mark.e2e


def test_every_way_changes_the_region_in_place(demo, opened, output):
    opened.click("Cake", *CAKE)
    opened.click("Cup", *CUP)
    opened.accept_all()
    for reopen in ways(opened, output):
        opened.wait_until_saved(demo.api, opened.task, masks=2, clicks=0)
        before = by_label(opened.regions())
        reopen(opened, before["Cup"])
        (change,) = opened.suggestions()
        assert change.id == before["Cup"].id, f"{reopen.__name__}: another object"
        answered = opened.answered()
        opened.accept_all()
        after = by_label(opened.regions())
        assert same(after["Cup"], change)
        assert same(after["Cake"], before["Cake"])
    opened.submit()
    kept = demo.submitted(opened.task, objects=2)
    cup = [one for one in kept if one["id"].partition("~")[0] == change.id]
    assert as_answered(cup, answered)
