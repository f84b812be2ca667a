"""More like this, through the real application: what is asked, shown again, accepted, rejected."""

import pytest

from backend.label_studio.config_writer import write
from dynamite.errors import InvalidInputError
from tests.backend.proposals.pages import CONFIG, LIKE, PLACES, Page, labels, mask_of
from tests.backend.served import a_click


def test_the_others_of_the_kind_are_proposed_with_scores(page, proposer):
    result = page.click(LIKE, 150, 200)
    assert labels(result) == [["A"]] * 3
    assert [one["score"] for one in result] == [0.8, 0.7, 0.6]
    assert len({one["id"] for one in result}) == 3
    (asked,) = proposer.asked
    assert asked.label == "A"
    assert [mask.contains(0.25, 0.5) for mask in asked.examples["A"]] == [True]
    assert proposer.projects == [("label_studio", 3)]


@pytest.mark.parametrize("is_accepted", [True, False])
def test_the_mask_under_the_click_is_an_example_whether_or_not_it_is_saved(
    backend, proposer, is_accepted
):
    page = Page(backend)
    (first,) = page.click("B", 150, 200)
    page.click("A", 60, 350)
    if is_accepted:
        page.accept_all()  # nothing tells the backend yet
    result = page.click(LIKE, 150, 200)
    assert labels(result).count(["B"]) == 4  # it is shown again, under its id
    assert first["id"] in {one["id"] for one in result}
    (asked,) = proposer.asked
    assert asked.label == "B"
    assert list(asked.examples) == ["B"]
    assert len(asked.others) == 1


def test_beside_all_masks_any_label_is_asked_for(page, proposer):
    page.click(LIKE, 20, 380)
    assert proposer.asked[0].label is None
    assert list(proposer.asked[0].examples) == ["A"]


def test_proposals_stay_while_other_objects_are_clicked(page):
    proposed = page.click(LIKE, 150, 200)
    result = page.click("B", 60, 350)
    assert {one["id"] for one in proposed} < {one["id"] for one in result}
    assert labels(result).count(["B"]) == 1
    total = sum(mask_of(one).astype(int) for one in result)
    assert total.max() == 1


def test_accepted_proposals_are_examples_the_next_time(page, proposer):
    proposed = page.click(LIKE, 150, 200)
    page.save()
    page.accept_all()
    page.save()
    assert page.click(LIKE, 150, 200) == []
    assert len(proposer.asked[-1].examples["A"]) == 1 + len(proposed)


@pytest.mark.parametrize("saved", [True, False])
def test_rejected_proposals_do_not_come_back(page, proposer, saved):
    proposed = page.click(LIKE, 150, 200)
    page.save()
    page.reject_all()
    if saved:
        page.save()
    assert page.click(LIKE, 150, 201) == []
    known = [*proposer.asked[-1].others, *proposer.asked[-1].examples["A"]]
    for one in proposed:
        assert any((mask.array() & mask_of(one)).any() for mask in known)
    page.save()
    page.reject_all()
    page.save()
    assert page.click(LIKE, 150, 202) == []
    assert page.click("A", 20, 20)  # clicks are answered as ever


def test_what_was_not_taken_is_no_example_once_the_draft_says_so(page, proposer):
    page.click(LIKE, 150, 200)
    page.save()
    page.reject_all()
    page.save()
    page.click(LIKE, 150, 201)
    assert len(proposer.asked[-1].examples["A"]) == 1
    assert len(proposer.asked[-1].others) == 3


def test_what_was_rejected_takes_no_pixels_from_a_click(page):
    page.click(LIKE, 150, 200)
    page.save()
    page.reject_all()
    page.save()
    x, y = PLACES[0]
    result = page.click("B", x, y + 40)  # beside the rejected disc
    assert mask_of(result[0])[y + 10, x]


def test_a_click_on_a_proposal_corrects_it(page):
    proposed = page.click(LIKE, 150, 200)
    x, y = PLACES[0]
    result = page.click("A", x + 5, y + 5)
    assert {one["id"] for one in result} == {one["id"] for one in proposed}
    before, after = (
        mask_of(next(one for one in regions if one["id"] == proposed[0]["id"]))
        for regions in (proposed, result)
    )
    assert after.sum() > before.sum()  # a disc of the network's own size
    assert after[y, x] and after[y + 5, x + 5]


def test_a_click_with_another_label_takes_the_place_of_a_proposal(page):
    proposed = page.click(LIKE, 150, 200)
    x, y = PLACES[0]
    result = page.click("B", x, y)
    assert proposed[0]["id"] not in {one["id"] for one in result}
    (b,) = (one for one in result if one["value"]["brushlabels"] == ["B"])
    assert mask_of(b)[y, x]


def test_a_click_elsewhere_begins_an_object_of_its_own(page):
    proposed = page.click(LIKE, 150, 200)
    result = page.click("A", 60, 350)
    assert len(result) == len(proposed) + 1


def test_a_fault_costs_the_proposals_and_nothing_else(page, proposer, caplog):
    page.click("B", 60, 350)
    proposer.fail = InvalidInputError("no likeness today")
    assert labels(page.click(LIKE, 150, 200)) == [["B"]]
    assert "no likeness today" in caplog.text


def test_a_label_that_masks_have_is_an_ordinary_label(backend, proposer):
    config = write(["A", LIKE])
    (one,) = backend.result(a_click(LIKE, 150, 200), config=config)
    assert one["value"]["brushlabels"] == [LIKE]
    assert proposer.asked == []


def test_without_such_labels_the_label_is_unknown(build):
    backend = build(like_labels=",")
    answer = backend.predict({"result": [a_click(LIKE, 150, 200)]}, config=CONFIG)
    assert answer.status_code == 400
    assert "More like this" in answer.text
