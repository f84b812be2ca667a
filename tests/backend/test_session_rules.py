"""The rules of clicks, each on the wire format, against a model of the page."""

import numpy as np
import pytest

from tests.backend.page_model import HEIGHT, WIDTH, Backend, Page, Server, mask_of


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def page(server, backend):
    return Page(server, backend)


@pytest.fixture
def saved(server, backend):
    """A page whose draft is always up to date."""
    return Page(server, backend, instant_save=True)


def by_label(result):
    labels = [region["value"]["brushlabels"][0] for region in result]
    return {label: [r for r in result if r["value"]["brushlabels"] == [label]] for label in labels}


def only(result, label):
    (region,) = by_label(result)[label]
    return region


def pixels(result):
    return [mask_of(region) for region in result]


def assert_disjoint(*masks):
    assert np.sum([mask.astype(int) for mask in masks], axis=0).max() <= 1


# 1: all pending objects together


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


def test_region_says_its_size_and_names_the_brush(page):
    region = only(page.click("A", 20, 20), "A")
    assert (region["original_width"], region["original_height"]) == (WIDTH, HEIGHT)
    assert (region["from_name"], region["to_name"], region["type"]) == (
        "mask",
        "image",
        "brushlabels",
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


def test_mask_corrected_by_hand_keeps_the_correction_when_reopened(saved):
    first = only(saved.click("A", 20, 20), "A")
    saved.accept_all()
    stroke = {
        "type": "add",
        "relativePoints": [100 * 60 / WIDTH, 50, 100 * 70 / WIDTH, 50],
        "relativeStrokeWidth": 8,
    }
    saved.regions[first["id"]]["value"]["touches"] = [stroke]
    saved.save()
    corrected = saved.mask(first["id"])
    region = only(saved.click("A", 24, 20), "A")
    assert region["id"] == first["id"]
    assert (mask_of(region) & corrected).sum() >= 0.9 * corrected.sum()
    region = only(saved.click("A", 20, 32), "A")
    assert mask_of(region)[32, 20]
    assert (mask_of(region) & corrected).sum() >= 0.9 * corrected.sum()


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


# 5: what makes no call


def test_dragged_click_moves_the_mask_and_keeps_the_id(page):
    first = only(page.click("A", 20, 20), "A")
    (keypoint,) = page.keypoints()
    region = only(page.drag(keypoint["id"], 60, 40), "A")
    assert region["id"] == first["id"]
    assert mask_of(region)[40, 60]
    assert not mask_of(region)[20, 20]


def test_deleted_click_is_gone_at_the_next_call_of_its_label(page):
    page.click("A", 20, 20)
    page.click("A", 60, 40)
    page.delete(page.keypoints()[0]["id"])
    region = only(page.click("A", 70, 40), "A")
    assert not mask_of(region)[20, 20]
    assert mask_of(region)[40, 60]


def test_deleted_click_of_another_label_is_gone_once_saved(page):
    page.click("A", 20, 20)
    page.wait()
    page.click("B", 60, 40)
    page.delete(page.keypoints("A")[0]["id"])
    page.wait()
    assert set(by_label(page.click("B", 70, 40))) == {"B"}


def test_undone_click_on_b_leaves_a_pending(page):
    a = only(page.click("A", 20, 20), "A")
    page.click("B", 60, 40)
    page.undo()
    result = page.click("B", 70, 40)
    assert only(result, "A")["id"] == a["id"]
    assert not mask_of(only(result, "B"))[40, 60 - 2]


def test_rejected_suggestion_is_forgotten_once_saved(page):
    page.click("A", 20, 20)
    page.wait()
    page.reject_all()
    page.wait()
    region = only(page.click("A", 24, 20), "A")
    assert not mask_of(region)[20, 13]  # the rejected click does not act any more
    assert set(by_label(page.click("B", 60, 40))) == {"A", "B"}


def test_rejected_reopening_leaves_the_accepted_mask_as_it_was(saved):
    first = only(saved.click("A", 20, 20), "A")
    saved.accept_all()
    saved.click("A", 24, 20)
    saved.reject_all()
    result = saved.click("B", 36, 20)
    assert set(by_label(result)) == {"B"}
    region = only(saved.click("A", 20, 24), "A")
    assert region["id"] == first["id"]
    assert not mask_of(region)[20, 32]  # the click of the rejected reopening does not act


def test_accepting_in_doubt_repeats_masks_unchanged(page):
    """Before the draft is saved, B may have been undone, or all accepted."""
    page.click("A", 20, 20)
    page.wait()
    page.click("B", 32, 20)
    before = page.shown()
    page.accept_all()
    result = page.click("B", 60, 40)
    accepted = {region["id"]: mask_of(region) for region in result if region["id"] in before}
    assert all((mask == before[region]).all() for region, mask in accepted.items())
    page.accept_all()
    assert all((page.accepted()[region] == mask).all() for region, mask in before.items())
    assert len(page.accepted()) == 3


def test_accept_one_keeps_the_others_pending(saved):
    saved.click("A", 20, 20)
    result = saved.click("B", 60, 40)
    a = only(result, "A")["id"]
    saved.accept_one(a)
    result = saved.click("B", 66, 40)
    assert set(by_label(result)) == {"B"}
    result = saved.click("A", 50, 20)  # the context still holds the first click on A
    assert only(result, "A")["id"] != a
    assert not mask_of(only(result, "A"))[20, 20]


def test_clicks_made_between_accept_one_and_its_draft_are_a_new_object(page):
    first = only(page.click("A", 20, 20), "A")
    page.accept_one(first["id"])
    page.click("A", 60, 40)  # in doubt: nothing has shown the accept
    page.wait()
    result = page.click("A", 66, 40)
    region = only(result, "A")
    assert region["id"] != first["id"]
    assert mask_of(region)[40, [60, 66]].all()
    assert not mask_of(region)[20, 20]


def test_undone_accept_makes_the_object_pending_again(page):
    first = only(page.click("A", 20, 20), "A")
    page.wait()
    page.accept_all()
    page.undo()
    region = only(page.click("A", 26, 20), "A")
    assert region["id"] == first["id"]
    assert mask_of(region)[20, [20, 26]].all()


def test_reloaded_page_has_its_polarity_from_memory(saved):
    saved.click("A", 20, 20)
    saved.click("A", 26, 20, positive=False)
    saved.reload()
    region = only(saved.click("A", 14, 20), "A")
    assert not mask_of(region)[20, 26]


def test_reloaded_page_has_its_polarity_from_the_draft(saved, backend):
    saved.click("A", 20, 20)
    saved.click("A", 26, 20, positive=False)
    saved.reload()
    backend.restart()
    region = only(saved.click("A", 14, 20), "A")
    assert not mask_of(region)[20, 26]


def test_polarity_said_nowhere_is_positive(saved, backend):
    saved.click("A", 20, 20)
    saved.reload()
    saved.save()
    backend.restart()
    region = only(saved.click("A", 14, 20), "A")
    assert mask_of(region)[20, 20]


@pytest.mark.parametrize("wait", [0, 10], ids=["draft is stale", "draft is saved"])
def test_auto_accept_refines_inside_and_begins_outside(server, backend, wait):
    page = Page(server, backend, auto_accept=True)
    page.click("A", 20, 20)
    page.wait(wait)
    page.click("A", 26, 20)
    assert len(page.accepted()) == 1
    page.wait(wait)
    page.click("A", 60, 40)
    assert len(page.accepted()) == 2
    page.wait(wait)
    before = page.accepted()
    page.click("A", 64, 40)
    after = page.accepted()
    assert after.keys() == before.keys()
    (first, mask), _ = before.items()
    assert (after[first] == mask).all()
    assert_disjoint(*after.values())


def test_update_pressed_is_answered_with_nothing(page, backend, server):
    page.click("A", 20, 20)
    assert backend(server.body("1", [])) == []
    assert set(by_label(page.click("B", 60, 40))) == {"A", "B"}


def test_late_call_does_not_undo_a_newer_one(page, backend):
    page.click("A", 20, 20)
    page.click("A", 60, 40)
    assert backend(backend.calls[0]) == []
    assert mask_of(only(page.click("B", 20, 50), "A"))[40, 60]


def test_only_a_call_with_an_older_click_of_the_page_supersedes(page, backend):
    calls = []

    def begin(body):
        from backend.label_studio.prompts import read_call

        calls.append(backend.store.begin(read_call(body).evidence))
        return []

    page.backend = begin
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    assert not backend.store.superseded(calls[0])
    page.click("A", 24, 20)
    assert backend.store.superseded(calls[0])
    assert not backend.store.superseded(calls[1])
    assert not backend.store.superseded(calls[2])


def test_restart_between_clicks_changes_nothing(saved, backend):
    first = saved.click("A", 20, 20)
    saved.click("B", 60, 40)
    saved.accept_all()
    saved.click("C", 40, 10)
    expected = {r["id"] for r in saved.click("C", 44, 10)}
    saved.undo()
    backend.restart()
    result = saved.click("C", 46, 10)
    assert {r["id"] for r in result} == expected
    assert_disjoint(*pixels(result), *saved.accepted().values())
    saved.accept_all()
    backend.restart()
    region = only(saved.click("A", 24, 20), "A")
    assert region["id"] == only(first, "A")["id"]


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
