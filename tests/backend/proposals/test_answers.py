"""More like this, through the real application: what is asked, shown again, accepted, rejected."""

import time
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from backend import composition
from backend.errors import ImageTimeoutError
from backend.label_studio.config_writer import write
from backend.label_studio.region_reader import read_region
from backend.serving import batch_deadline
from backend.serving.admission import BusyError
from backend.session.bitmask import BitMask
from backend.session.like import Proposed
from backend.settings.folders import descriptions_folder
from dynamite.clicks import Click, ClickSet
from dynamite.errors import InvalidInputError
from tests.backend.served import a_click, a_task
from tests.training.proposing.test_descriptions import one as described
from training.proposing.kept import Entry, KeptDescriptions, Record
from training.proposing.verdicts import Trial

LIKE = "More like this"
CONFIG = write(["A", "B"], like=LIKE)
SIZE = (400, 600)
PLACES = [(300, 60), (450, 60), (520, 330)]


def disc(x, y, radius=25):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return BitMask.of(np.hypot(rows - y, columns - x) <= radius)


class FakeProposer:
    """Proposes discs at ``PLACES`` that lie on nothing known, and keeps what it was asked."""

    def __init__(self, likenesses):
        self.asked = []
        self.projects = []
        self.fail = None
        FakeProposer.last = self

    def __call__(self, project, asked, features, segment, *, accepts):
        self.projects.append(project)
        self.asked.append(asked)
        if self.fail is not None:
            raise self.fail
        known = [*asked.others, *(one for masks in asked.examples.values() for one in masks)]
        label = asked.label or "A"
        return [
            Proposed(label, disc(x, y), 0.8 - number / 10, (x / SIZE[1], y / SIZE[0]))
            for number, (x, y) in enumerate(PLACES)
            if accepts(label) and not any(one.contains(x / 600, y / 400) for one in known)
        ]


@pytest.fixture
def build(make_backend, monkeypatch):
    monkeypatch.setattr(composition, "Proposer", FakeProposer)
    return make_backend


@pytest.fixture
def backend(build):
    return build()


@pytest.fixture
def proposer(backend):
    return FakeProposer.last


class Page:
    """A page of Label Studio: what it shows, and what its draft holds."""

    def __init__(self, backend):
        self.backend = backend
        self.points, self.accepted, self.suggested = [], [], []
        self.saves = 0
        self.drafts = []

    def click(self, label, x, y, **more):
        self.points.append(a_click(label, x, y, **more))
        shown = [one for one in self.points if one["value"]["labels"] == [label]]
        self.suggested = self.backend.result(*shown, task=a_task(drafts=self.drafts), config=CONFIG)
        return self.suggested

    def accept_all(self):
        new = {one["id"] for one in self.suggested}
        self.accepted = [one for one in self.accepted if one["id"] not in new] + self.suggested
        self.points, self.suggested = [], []

    def reject_all(self):
        self.points, self.suggested = [], []

    def save(self):
        self.saves += 1
        time = f"2026-11-22T07:00:{self.saves:02d}.000000Z"
        self.drafts = [
            {
                "id": 1,
                "user": "a@b",
                "created_username": "a@b, 1",
                "updated_at": time,
                "result": [*self.accepted, *self.points],
            }
        ]


@pytest.fixture
def page(backend):
    """A page with an accepted A at 150, 200."""
    page = Page(backend)
    page.click("A", 150, 200)
    page.accept_all()
    page.save()
    return page


def labels(result):
    return [one["value"]["brushlabels"] for one in result]


def mask_of(region):
    return read_region(region).pixels()


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


def test_a_task_of_a_prelabelled_project_is_opened_with_proposals(build):
    backend = build(prelabel_projects="3")
    (one,) = backend.predict(None, config=CONFIG).json["results"]
    assert labels(one["result"]) == [["A"]] * 3
    assert one["score"] == pytest.approx(0.7)
    again = backend.predict(None, config=CONFIG).json["results"]
    assert [r["id"] for r in again[0]["result"]] == [r["id"] for r in one["result"]]


@pytest.mark.parametrize("kept", [1, 3])
def test_what_was_deleted_of_a_prelabelled_page_is_not_proposed_again(build, kept):
    backend = build(prelabel_projects="3")
    (one,) = backend.predict(None, config=CONFIG).json["results"]
    page = Page(backend)
    page.accepted = one["result"][:kept]
    page.save()
    filled = [{"id": 1, "created_at": "2026-11-22T06:00:00Z", "result": one["result"]}]
    task = a_task(drafts=page.drafts) | {"predictions": filled}
    assert backend.result(a_click(LIKE, *PLACES[0]), task=task, config=CONFIG) == []
    asked = FakeProposer.last.asked[-1]
    assert (len(asked.examples["A"]), len(asked.others)) == (kept, 3 - kept)


def test_only_prelabelled_projects_get_proposals_unasked(build):
    backend = build(prelabel_projects="4")
    assert backend.predict(None, config=CONFIG).json["results"] == [[]]


def test_a_task_with_masks_is_left_alone(build, page):
    backend = build(prelabel_projects="all")
    task = a_task() | {"annotations": page.drafts}
    assert backend.predict(None, task=task, config=CONFIG).json["results"] == [[]]
    assert FakeProposer.last.asked == []


def test_tasks_are_prelabelled_unasked_and_clicks_ask(build):
    backend = build(prelabel_projects="3")
    backend.predict(None, config=CONFIG)
    backend.result(a_click(LIKE, 20, 380), config=CONFIG)
    assert [one.unasked for one in FakeProposer.last.asked] == [True, False]


def test_the_status_page_says_which_labels_are_not_prelabelled(build):
    backend = build(prelabel_projects="3")
    kept = KeptDescriptions(descriptions_folder(backend.settings))
    kept.folder.mkdir(parents=True)
    for number in (3, 4):
        trials = (
            Trial(image="a", label="A", proposed=20, right=18),
            Trial(image="a", label="B", proposed=30, right=4),
        )
        entries = tuple(Entry(label=label, image="a") for label in "AB")
        record = Record(change=1, weights="w", model_version="v", entries=entries, trials=trials)
        kept.write(("label_studio", number), record, [described()] * 2)
    page = backend.client.get("/").text
    assert "Pre-labelling, Project 3" in page
    assert "B: off, people labelled 4 of 30 proposals" in page
    assert "A: people labelled 18 of 20 proposals" in page
    assert "Pre-labelling, Project 4" not in page


def test_the_status_page_says_that_nothing_is_known_yet(build):
    backend = build(prelabel_projects="3,4")
    body = {"project": "3.1795330728", "schema": CONFIG, "hostname": "", "access_token": "t"}
    assert backend.client.post("/setup", json=body).status_code == 200
    page = backend.client.get("/").text
    assert "Pre-labelling, Project 3" in page
    assert "nothing is proposed yet" in page
    assert "Project 4" not in page


def batch(backend, *tasks):
    """The answers to "Retrieve Predictions" for some tasks."""
    body = {"tasks": tasks, "project": "3.1", "label_config": CONFIG, "params": {"context": None}}
    return backend.client.post("/predict", json=body).json["results"]


def test_a_task_that_was_submitted_without_a_mask_is_left_alone(build):
    backend = build(prelabel_projects="3")
    empty = {"id": 1, "completed_by": 1, "updated_at": "2026-11-22T07:00:00Z", "result": []}
    assert batch(backend, a_task() | {"annotations": [empty]}) == [[]]
    assert len(batch(backend, a_task() | {"annotations": [empty | {"was_cancelled": True}]})[0]) > 1


def test_a_silent_host_is_not_waited_for_again_and_again(build, monkeypatch):
    backend = build(prelabel_projects="3")
    images = backend.parts.label_studio.connection.images
    asked, open_image = [], images.open

    def open_or_wait(address, task):
        asked.append(address)
        if "silent" in address:
            raise ImageTimeoutError(f"{address} takes longer than 20 seconds")
        return open_image(address, task)

    monkeypatch.setattr(images, "open", open_or_wait)
    silent = [a_task(i, image=f"https://silent.example/{i}.png") for i in range(4)]
    answers = batch(backend, *silent, a_task(9))
    assert answers[:4] == [[]] * 4
    assert answers[4]["result"]
    assert len(asked) == 3


def test_a_batch_that_runs_out_of_time_amid_proposals_says_so(build, monkeypatch):
    backend = build(prelabel_projects="3")
    real, spent = time.monotonic, [0.0]
    monkeypatch.setattr(batch_deadline, "monotonic", lambda: real() + spent[0])

    def propose(self, project, asked, features, segment, *, accepts):
        spent[0] = 100.0
        segment(ClickSet([[Click(1, 1)]]))
        raise AssertionError("time is over")

    monkeypatch.setattr(FakeProposer, "__call__", propose)
    assert batch(backend, a_task(1), a_task(2)) == [[], []]
    (entry,) = backend.parts.journal.errors
    assert "2 of the 2 tasks" in entry.message


def test_while_too_much_waits_for_the_model_nothing_is_proposed(build):
    backend = build(prelabel_projects="3", threads=2)
    admission = backend.parts.label_studio._admission
    with ExitStack() as places:
        with suppress(BusyError):
            while True:
                places.enter_context(admission.place())
        assert batch(backend, a_task()) == [[]]
    assert backend.parts.journal.errors[0].code == "busy"
    assert batch(backend, a_task())[0]["result"]


def test_a_fault_while_prelabelling_leaves_the_task_empty(build):
    backend = build(prelabel_projects="all")
    FakeProposer.last.fail = InvalidInputError("no likeness today")
    assert backend.predict(None, config=CONFIG).json["results"] == [[]]
