"""What makes no call: drags, undos, rejections, accepts, reloads, Auto-Accept."""

import pytest

from tests.backend.session.page_model import HEIGHT, WIDTH, Page, mask_of
from tests.backend.session.rules.answers import assert_disjoint, by_label, only, pixels

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


@pytest.mark.parametrize("shown_by", ["a click", "a draft"])
def test_undone_click_on_b_leaves_a_pending(page, shown_by):
    """It looks as if all had been rejected: A is left out until the page shows its click."""
    a = only(page.click("A", 20, 20), "A")
    page.click("B", 60, 40)
    page.undo()
    result = page.click("B", 70, 40)
    assert set(by_label(result)) == {"B"}
    assert not mask_of(only(result, "B"))[40, 60 - 2]
    if shown_by == "a draft":
        page.wait()
    result = page.click(*{"a click": ("A", 24, 20), "a draft": ("B", 74, 40)}[shown_by])
    assert only(result, "A")["id"] == a["id"]
    assert mask_of(only(result, "A"))[20, 20]
    assert mask_of(only(result, "B"))[40, 70]


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


@pytest.mark.parametrize("wait", [0, 10], ids=["no draft", "an older draft"])
def test_after_an_accept_that_no_draft_shows_nothing_is_suggested_again(page, wait):
    page.click("A", 20, 20)
    page.click("B", 32, 20)
    page.wait(wait)
    before = page.shown()
    page.accept_all()
    result = page.click("B", 60, 40)
    assert not before.keys() & {region["id"] for region in result}
    assert_disjoint(*before.values(), *pixels(result))
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


def test_late_call_of_a_rectangle_does_not_undo_a_newer_one(page, backend):
    page.rectangle("A", 10, 10, 12, 12)
    (first,) = page.regions
    page.change(first, width=100 * 16 / WIDTH)
    late = backend.calls[-1]
    page.rectangle("A", 50, 10, 12, 12)
    assert backend(late) == []


@pytest.mark.parametrize(
    "change",
    [{"width": 100 * 24 / WIDTH}, {"height": 100 * 24 / HEIGHT}, {"rotation": 20}],
    ids=lambda change: next(iter(change)),
)
def test_a_rectangle_changed_after_a_newer_one_was_deleted_is_answered(page, change):
    before = only(page.rectangle("A", 10, 10, 12, 12), "A")
    page.rectangle("A", 50, 10, 12, 12)
    first, second = page.regions
    page.delete(second)
    after = only(page.change(first, **change), "A")
    assert after["id"] == before["id"]
    assert (mask_of(after) != mask_of(before)).any()


def test_a_click_relabelled_after_one_of_its_new_label_was_deleted_is_answered(page):
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    first, second = page.regions
    page.delete(second)
    result = page.change(first, keypointlabels=["B"], labels=["B"])
    assert mask_of(only(result, "B"))[20, 20]


def test_only_a_call_with_an_older_click_of_the_page_supersedes(page, backend):
    calls = []

    def begin(body):
        from backend.label_studio.predict_request import read_request

        calls.append(backend.store.begin(read_request(body).call))
        return []

    page.backend = begin
    page.click("A", 20, 20)
    page.click("B", 60, 40)
    assert not backend.store.is_superseded(calls[0])
    page.click("A", 24, 20)
    assert backend.store.is_superseded(calls[0])
    assert not backend.store.is_superseded(calls[1])
    assert not backend.store.is_superseded(calls[2])


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
