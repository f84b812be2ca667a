"""What is already on the page, or somebody else's: kept as it is, never taken for one's own."""

import copy

import pytest

from backend.session.prompts import Box
from backend.session.regions import ImageKey
from tests.backend.session.page_model import HEIGHT, WIDTH, Page, mask_of
from tests.backend.session.rules.answers import by_label, only


def relabel(page, region, label, kind):
    value = page.regions[region]["value"]
    value[kind] = [label]
    if "labels" in value:
        value["labels"] = [label]
    page._changed()


def test_a_relabelled_accepted_region_is_not_replaced_by_its_old_keypoint(server, backend):
    first = Page(server, backend, user="1", instant_save=True)
    first.click("A", 20, 20)
    region = only(first.click("A", 24, 20), "A")["id"]
    first.accept_one(region)
    first.submit()
    second = Page(server, backend, user="2", instant_save=True)
    second.regions = copy.deepcopy(first.regions)
    for one in second.regions.values():
        one.pop("is_positive", None)
    relabel(second, region, "B", f"{server.output}labels")
    before = second.mask(region)
    new = only(second.click("A", 60, 40), "A")
    assert new["id"] != region
    assert not mask_of(new)[:, :45].any()  # the old keypoint asks for nothing more
    second.accept_all()
    assert second.label(second.regions[region]) == "B"
    assert (second.mask(region) == before).all()


def test_a_relabelled_click_is_for_the_new_label_alone(saved):
    saved.click("A", 20, 20)
    (keypoint,) = saved.keypoints("A")
    relabel(saved, keypoint["id"], "B", "keypointlabels")
    result = saved.click("B", 24, 20)
    assert mask_of(only(result, "B"))[20, 20]
    assert set(by_label(result)) == {"B"}


def test_an_accepted_object_keeps_its_pixels_while_its_change_is_pending(saved):
    accepted = only(saved.click("A", 20, 20), "A")
    saved.accept_all()
    saved.click("B", 33, 20)
    saved.click("A", 24, 20, positive=False)  # reopens A, and would give up its right half
    result = saved.click("B", 31, 24)
    b = mask_of(only(result, "B"))
    assert not (b & mask_of(accepted)).any()
    saved.accept_one(only(result, "B")["id"])
    saved.reject_all()
    a, b = saved.accepted("A"), saved.accepted("B")
    assert not (next(iter(a.values())) & next(iter(b.values()))).any()


def test_a_click_inside_an_object_being_changed_takes_what_it_points_at(saved):
    saved.click("A", 20, 20)
    saved.accept_all()
    saved.click("A", 16, 20)
    result = saved.click("B", 26, 20)
    assert mask_of(only(result, "B"))[20, 26]


def test_a_colleagues_mask_is_not_reopened_by_the_first_click_of_a_third(server, backend):
    colleagues = set()
    for user in "12":
        page = Page(server, backend, user=user)
        colleagues.add(only(page.click("A", 20, 20), "A")["id"])
        page.accept_all()
        page.submit()
    backend.restart()
    third = only(Page(server, backend, user="3").click("A", 26, 20), "A")
    assert third["id"] not in colleagues


def predicted(server, label, *points):
    """A prediction with a mask around each point, as a batch answer left it."""
    painter = Page(server, lambda body: [])
    for x, y in points:
        painter.paint(label, x, y, x, y + 1)
    painter.submit()
    result = server.annotations.pop()["result"]
    server.predictions.append({"id": 1, "created_at": server.stamp(), "result": result})


def test_a_page_filled_with_a_prediction_keeps_its_masks_before_it_is_saved(server, backend):
    predicted(server, "B", (24, 20))
    page = Page(server, backend)
    page.prefill()
    (before,) = page.accepted("B").values()
    new = mask_of(only(page.click("A", 30, 20), "A"))
    assert new.any()
    assert not (new & before).any()


def test_neither_a_prediction_nor_a_colleague_is_drawn_over(server, backend):
    predicted(server, "B", (24, 20))
    colleague = Page(server, backend, user="2", instant_save=True)
    colleague.click("B", 60, 40)
    colleague.accept_all()
    colleague.submit()
    backend.restart()  # else this page is at first taken for the colleague's
    page = Page(server, backend)
    page.prefill()
    (filled,) = page.accepted("B").values()
    (theirs,) = colleague.accepted("B").values()
    new = mask_of(only(page.click("A", 30, 20), "A"))
    assert not (new & filled).any()
    new = mask_of(only(page.click("A", 46, 40), "A"))
    assert new[40, 46]
    assert not (new & (filled | theirs)).any()


def test_a_prediction_that_is_not_on_the_page_gives_way_to_a_click_in_it(server, backend):
    predicted(server, "B", (24, 20))
    page = Page(server, backend)
    new = mask_of(only(page.click("A", 24, 20), "A"))
    assert new[20, 24]
    assert new.sum() > 200  # the whole disc, not what a mask that nobody sees left of it


@pytest.mark.parametrize("positive", [True, False])
def test_a_click_in_a_mask_that_filled_the_page_corrects_it_in_place(server, backend, positive):
    predicted(server, "A", (24, 20), (60, 40))
    page = Page(server, backend)
    page.prefill()
    near = next(name for name, mask in page.accepted("A").items() if mask[20, 24])
    before = page.accepted("A")
    page.click("A", 24, 20, positive=positive)
    page.click("A", 27, 23, positive=positive)
    page.accept_all()
    after = page.accepted("A")
    assert after.keys() == before.keys()
    changed = {name for name in after if (after[name] != before[name]).any()}
    assert changed == {near}


def test_a_rectangle_around_a_mask_that_filled_the_page_refines_it_in_place(server, backend):
    predicted(server, "A", (24, 20), (60, 40))
    page = Page(server, backend)
    page.prefill()
    before = page.accepted("A").keys()
    page.rectangle("A", 20, 16, 9, 9)
    page.accept_all()
    assert page.accepted("A").keys() == before


def test_an_older_draft_of_another_annotation_does_not_become_the_page(server, backend):
    old = Page(server, backend, user="1", instant_save=True)
    old.click("C", 70, 40)
    (draft,) = [copy.deepcopy(server.drafts["1"])]
    backend.restart()
    del server.drafts["1"]

    new = Page(server, backend, user="1")  # its first call comes before its first draft
    body = server.body

    def with_the_old_one(user, context):
        told = body(user, context)
        told["tasks"][0]["drafts"].append(draft | {"annotation": 5, "id": draft["id"] + 100})
        return told

    server.body = with_the_old_one
    new.click("A", 20, 20)
    new.accept_all()
    new.wait()
    assert set(by_label(new.click("B", 40, 50))) == {"B"}


@pytest.mark.parametrize(("width", "height"), [(0.4, 0.1), (0.02, 0.3)])
@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, 200.0, -45.0])
def test_points_lie_in_turned_rectangles_where_the_page_shows_them(width, height, turn):
    box = Box("b", "A", ImageKey("image"), 0.5, 0.1, width, height, turn, aspect=2.0)
    places = ((0.5, 0.5, True), (0.99, 0.01, True), (0.99, 0.99, True), (1.1, 0.5, False))
    for along, across, inside in places:
        assert box.contains(*box.at(along, across)) is inside


def test_very_many_rectangles_are_all_answered(page, backend):
    for number in range(130):
        x, y = 2 + (number % 20) * 4.2, 2 + (number // 20) * 3.6
        box = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, "rotation": 0}
        box |= {"width": 300 / WIDTH, "height": 300 / HEIGHT}
        region = page._region("rectanglelabels", "box", "A", **box)
        page.regions[region["id"]] = region
    assert len(page.rectangle("A", 2, 40, 3, 3)) == 131
    assert len(page.rectangle("A", 60, 38, 28, 20)) == 132
    corner = page.click("A", 86, 56)  # inside the last one, beyond the reach of its middle
    assert sum(bool(mask_of(region)[56, 86]) for region in corner) == 1
