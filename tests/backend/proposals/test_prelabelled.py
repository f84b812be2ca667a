"""Pre-labelling through the real application: what is proposed unasked, and what is left alone."""

import time
from contextlib import ExitStack, suppress

import pytest

from backend.errors import ImageTimeoutError
from backend.serving import batch_deadline
from backend.serving.admission import BusyError
from backend.settings.folders import descriptions_folder
from dynamite.clicks import Click, ClickSet
from dynamite.errors import InvalidInputError
from tests.backend.proposals.pages import CONFIG, LIKE, PLACES, FakeProposer, Page, labels
from tests.backend.served import a_click, a_task
from tests.training.proposing.test_descriptions import one as described
from training.proposing.kept import Entry, KeptDescriptions, Record
from training.proposing.verdicts import Trial


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
