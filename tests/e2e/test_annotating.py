"""What an annotator does, in the real product: the cases that matter most."""

import time

import numpy as np
import pytest
from photo import CAKE, CUP, LIVING_ROOM, beside, by_label, inside, pixel

pytestmark = pytest.mark.e2e


def test_the_demo_leads_to_the_first_mask(demo, person):
    """One command, then what it says: open the task, choose, click."""
    assert demo.email in demo.said
    assert demo.password in demo.said
    project, task = map(int, demo.task_url.replace("/data?task=", "/").split("/")[-2:])
    for draft in demo.api.get(f"/api/tasks/{task}/drafts"):  # of an earlier run
        demo.api.delete(f"/api/drafts/{draft['id']}/")
    person.open_task(project, task)
    for label, place in zip(("Animal 1", "Thing 1", "Thing 2"), LIVING_ROOM, strict=True):
        assert label in demo.said
        person.click(label, *place)
    found = by_label(person.suggestions())
    masks = [found[label].mask for label in ("Animal 1", "Thing 1", "Thing 2")]
    assert np.array([[pixel(mask, place) for place in LIVING_ROOM] for mask in masks]).tolist() == (
        np.eye(3, dtype=bool).tolist()
    )
    assert 0.2 < masks[0].mean() < 0.35, "the whole cat, and the cat alone"
    person.reject_all()


def test_both_objects_are_answered_together_and_disjoint(on_cake):
    on_cake.click("Cake", *CAKE)
    (first,) = on_cake.suggestions()
    assert pixel(first.mask, CAKE)
    on_cake.click("Cup", *CUP)
    found = by_label(on_cake.suggestions())
    assert set(found) == {"Cake", "Cup"}
    assert not (found["Cake"].mask & found["Cup"].mask).any()
    assert pixel(found["Cake"].mask, CAKE)
    assert pixel(found["Cup"].mask, CUP)
    assert found["Cake"].id == first.id


def test_a_click_where_the_other_spilled_over_takes_the_spill(on_cake):
    on_cake.click("Cake", *CAKE)
    (cake,) = on_cake.suggestions()
    spill = inside(cake.mask, CAKE)
    on_cake.click("Cup", *spill)
    found = by_label(on_cake.suggestions())
    assert pixel(found["Cup"].mask, spill)
    assert not pixel(found["Cake"].mask, spill)


def test_a_negative_click_takes_away(on_cake):
    on_cake.click("Cake", *CAKE)
    (before,) = on_cake.suggestions()
    wrong = inside(before.mask, CAKE)
    on_cake.click("Cake", *wrong, negative=True)
    (after,) = on_cake.suggestions()
    assert after.id == before.id
    assert not pixel(after.mask, wrong)
    assert pixel(after.mask, CAKE)


def test_a_click_inside_an_accepted_mask_reopens_that_object(on_cake):
    on_cake.click("Cake", *CAKE)
    on_cake.accept_all()
    (accepted,) = on_cake.regions()
    wrong = inside(accepted.mask, CAKE)
    on_cake.click("Cake", *wrong, negative=True, inside=True)
    (suggestion,) = on_cake.suggestions()
    assert suggestion.id == accepted.id
    on_cake.accept_all()
    (corrected,) = on_cake.regions()
    assert corrected.id == accepted.id
    assert corrected.labels == ("Cake",)
    assert not pixel(corrected.mask, wrong)
    assert pixel(corrected.mask, CAKE)


def test_after_an_accept_a_click_outside_is_a_new_object(on_cake):
    on_cake.click("Cake", *CAKE)
    on_cake.accept_all()
    (first,) = on_cake.regions()
    on_cake.click("Cake", *beside(first.mask))
    new = [region for region in on_cake.suggestions() if region.id != first.id]
    assert len(new) == 1
    assert not (new[0].mask & first.mask).any()
    on_cake.accept_all()
    regions = {region.id: region for region in on_cake.regions()}
    assert set(regions) == {first.id, new[0].id}
    assert (regions[first.id].mask == first.mask).all()


def test_what_is_painted_by_hand_keeps_its_pixels(demo, person):
    project, (task,) = demo.project()
    person.open_task(project, task)
    person.paint("Cup", CAKE, (CAKE[0] + 4, CAKE[1]))
    person.wait_until_saved(demo.api, task, masks=1)
    person.click("Cake", CAKE[0], CAKE[1] - 12)
    (cake,) = person.suggestions()
    assert person.painted() == [("Cup",)]
    for step in np.linspace(0, 4, 9):
        assert not pixel(cake.mask, (CAKE[0] + step, CAKE[1]))


def test_a_rectangle_is_one_object_inside_it(on_cake):
    left, top, right, bottom = 58.0, 44.0, 94.0, 84.0
    on_cake.box("Cup", left, top, right, bottom)
    (cup,) = on_cake.suggestions()
    height, width = cup.mask.shape
    rows, columns = np.nonzero(cup.mask)
    assert cup.labels == ("Cup",)
    assert pixel(cup.mask, CUP)
    slack = 1.0  # percent: the drag ends on whole pixels of the screen
    assert columns.min() / width * 100 >= left - slack
    assert columns.max() / width * 100 <= right + slack
    assert rows.min() / height * 100 >= top - slack
    assert rows.max() / height * 100 <= bottom + slack


def test_what_is_submitted_is_what_was_seen(demo, person):
    project, (task,) = demo.project()
    person.open_task(project, task)
    person.click("Cake", *CAKE)
    person.click("Cup", *CUP)
    seen = by_label(person.suggestions())
    person.accept_all()
    person.submit()
    deadline = time.monotonic() + 30
    while not (kept := demo.api.get(f"/api/tasks/{task}/annotations")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    masks = [one for one in kept[0]["result"] if one["type"] == "brushlabels"]
    assert {one["id"] for one in masks} == {region.id for region in seen.values()}
    assert {one["value"]["brushlabels"][0] for one in masks} == {"Cake", "Cup"}


def test_a_reloaded_page_goes_on_where_it_was(demo, person):
    project, (task,) = demo.project()
    person.open_task(project, task)
    person.click("Cake", *CAKE)
    person.accept_all()
    (cake,) = person.regions()
    person.wait_until_saved(demo.api, task, masks=1)
    person.open_task(project, task)
    person.click("Cup", *beside(cake.mask))
    found = by_label(person.suggestions())
    assert set(found) == {"Cup"}
    assert not (found["Cup"].mask & cake.mask).any()
    person.accept_all()
    assert {region.id for region in person.regions()} == {cake.id, found["Cup"].id}


def test_the_status_page_needs_no_script(demo, person):
    person.browser.open(demo.backend + "/")
    text = person.browser.run("return document.body.textContent")
    for words in ("DynaMITE backend is up", "lite-", "Queues", demo.url):
        assert words in text
    assert person.browser.run("return document.scripts.length") == 0
