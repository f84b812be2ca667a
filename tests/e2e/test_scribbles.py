"""A stroke of the brush as a prompt: it is clicked, and turns into the mask."""

import numpy as np
import pytest
from photo import CAKE, CUP, by_label, pixel

pytestmark = pytest.mark.e2e

ALONG = [(CAKE[0] - 8 + step, CAKE[1]) for step in range(17)]
"""A stroke across the cake."""


@pytest.fixture
def scribbled(demo, on_cake):
    """A person who has painted a stroke over the cake, and its region's id; it is saved."""
    on_cake.paint("Cake", ALONG[0], ALONG[-1])
    on_cake.wait_until_saved(demo.api, on_cake.task, masks=1)
    return on_cake, saved(demo, on_cake)[0]["id"]


def saved(demo, person):
    """The masks in the draft."""
    drafts = demo.api.get(f"/api/tasks/{person.task}/drafts")
    results = [one for draft in drafts for one in draft["result"]]
    return [one for one in results if one["type"] == "brushlabels"]


def test_a_stroke_that_is_clicked_turns_into_the_mask(demo, scribbled):
    person, stroke = scribbled
    person.click("Cake", *ALONG[8], inside=True)
    (suggestion,) = person.suggestions()
    assert suggestion.id == stroke
    assert all(pixel(suggestion.mask, place) for place in ALONG[1:-1])
    narrow = np.ptp(np.nonzero(suggestion.mask)[0]) / suggestion.mask.shape[0]
    assert narrow > 0.15, "it is no more than the stroke"
    person.accept_all()
    (accepted,) = person.regions()
    assert accepted.id == stroke
    assert accepted.labels == ("Cake",)
    assert (accepted.mask == suggestion.mask).all()
    assert person.painted() == [("Cake",)]
    person.browser.until(
        lambda: [one["value"].get("rle") is not None for one in saved(demo, person)] == [True],
        "the draft to hold the mask in place of the stroke",
    )


def test_a_scribbled_object_is_joint_with_others_and_keeps_its_stroke(scribbled):
    person, stroke = scribbled
    person.click("Cake", *ALONG[8], inside=True)
    person.click("Cup", *CUP)
    found = by_label(person.suggestions())
    assert found["Cake"].id == stroke
    assert not (found["Cake"].mask & found["Cup"].mask).any()
    person.click("Cup", *ALONG[3], inside=True)  # a mistake: the stroke was there first
    found = by_label(person.suggestions())
    assert all(pixel(found["Cake"].mask, place) for place in ALONG[1:-1])


def test_rejecting_leaves_the_stroke_as_it_was_painted(demo, scribbled):
    person, stroke = scribbled
    before = saved(demo, person)[0]["value"]
    person.click("Cake", *ALONG[8], inside=True)
    person.wait_until_saved(demo.api, person.task, masks=1, clicks=1)
    person.reject_all()
    person.wait_until_saved(demo.api, person.task, masks=1, clicks=0)
    person.click("Cup", *CUP)
    (cup,) = person.suggestions()
    assert cup.labels == ("Cup",)
    assert not any(pixel(cup.mask, place) for place in ALONG[1:-1])
    person.accept_all()
    person.wait_until_saved(demo.api, person.task, masks=2)
    (after,) = [one for one in saved(demo, person) if one["id"] == stroke]
    assert after["value"]["touches"] == before["touches"]
