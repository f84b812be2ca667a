"""Pending objects: joint answers, one region an object, reopening."""

import pytest

from backend.label_studio.kinds.bitmask import Bitmask
from tests.backend.session.page_model import HEIGHT, WIDTH, mask_of, stroke_mask
from tests.backend.session.rules.answers import assert_disjoint, by_label, only, pixels


def test_answer_to_second_label_holds_both_masks_disjoint(page):
    a = only(page.click("A", 20, 20), "A")
    result = page.click("B", 30, 20)
    assert set(by_label(result)) == {"A", "B"}
    assert_disjoint(*pixels(result))
    assert only(result, "A")["id"] == a["id"] != only(result, "B")["id"]


def test_click_on_b_takes_away_what_a_spilled_there(page):
    spilled = mask_of(only(page.click("A", 20, 20), "A"))
    result = page.click("B", 26, 20)
    assert spilled[20, 26]
    assert not mask_of(only(result, "A"))[20, 26]
    assert mask_of(only(result, "B"))[20, 26]


def test_three_labels_and_a_later_click_on_the_first_keep_ids(page):
    first = {label: page.click(label, x, 20) for label, x in (("A", 15), ("B", 45), ("C", 75))}
    ids = {label: only(result, label)["id"] for label, result in first.items()}
    result = page.click("A", 15, 30)
    assert {label: only(result, label)["id"] for label in "ABC"} == ids


def test_region_says_its_size_and_names_its_tag(page, server):
    region = only(page.click("A", 20, 20), "A")
    assert (region["original_width"], region["original_height"]) == (WIDTH, HEIGHT)
    assert (region["from_name"], region["to_name"], region["type"]) == (
        "mask",
        "image",
        f"{server.output}labels",
    )
    assert "item_index" not in region


# 2: one object, one region


def test_clicks_of_a_label_are_one_object_before_the_accept(page):
    first = only(page.click("A", 20, 20), "A")
    region = only(page.click("A", 70, 40), "A")
    assert region["id"] == first["id"]
    assert mask_of(region)[20, 20]
    assert mask_of(region)[40, 70]


@pytest.mark.parametrize("wait", [0, 10], ids=["draft is stale", "draft is saved"])
def test_click_inside_accepted_mask_reopens_it(page, wait):
    first = only(page.click("A", 20, 20), "A")
    page.accept_all()
    page.wait(wait)
    region = only(page.click("A", 24, 20), "A")
    assert region["id"] == first["id"]
    assert (mask_of(region) & mask_of(first)).sum() == mask_of(first).sum()
    page.wait(wait)
    region = only(page.click("A", 34, 20), "A")
    assert region["id"] == first["id"]
    page.accept_all()
    assert len(page.accepted("A")) == 1
    assert page.accepted("A")[first["id"]][20, [20, 34]].all()


def test_reopened_object_is_closed_by_the_next_accept(saved):
    first = only(saved.click("A", 20, 20), "A")
    saved.accept_all()
    saved.click("A", 24, 20)
    saved.accept_all()
    result = saved.click("A", 60, 40)
    assert only(result, "A")["id"] != first["id"]


def test_negative_click_inside_accepted_mask_reopens_it(saved):
    first = only(saved.click("A", 20, 20), "A")
    saved.accept_all()
    region = only(saved.click("A", 26, 20, positive=False), "A")
    assert region["id"] == first["id"]
    assert mask_of(region)[20, 20]
    assert not mask_of(region)[20, 26]


def test_mask_corrected_by_hand_keeps_the_correction_when_reopened(saved, server):
    first = only(saved.click("A", 20, 20), "A")
    saved.accept_all()
    stroke = {
        "type": "add",
        "relativePoints": [100 * 60 / WIDTH, 50, 100 * 70 / WIDTH, 50],
        "relativeStrokeWidth": 8,
    }
    region = saved.regions[first["id"]]
    if server.output == "brush":
        region["value"]["touches"] = [stroke]
    else:  # drawn by the page at once
        region["value"] |= Bitmask().form(mask_of(first) | stroke_mask(stroke), 0).values[0]
    saved.save()
    corrected = saved.mask(first["id"])
    region = only(saved.click("A", 24, 20), "A")
    assert region["id"] == first["id"]
    assert (mask_of(region) & corrected).sum() >= 0.9 * corrected.sum()
    region = only(saved.click("A", 20, 32), "A")
    assert mask_of(region)[32, 20]
    assert (mask_of(region) & corrected).sum() >= 0.9 * corrected.sum()
