"""A batch ends in time for Label Studio to hear it: what is left is asked for again."""

import time

import pytest

from backend.errors import ImageTimeoutError
from backend.label_studio.config_writer import write
from backend.serving import batch_deadline
from backend.serving.batch_deadline import BatchDeadline


@pytest.fixture
def retrieve(backend, click, task):
    """Press "Retrieve Predictions" for images by name: how many masks each got."""

    def press(*names):
        tasks = [
            task(number, image=name)
            | {"predictions": [{"id": 5, "result": [click("A", 100, 100)], "created_at": "2026"}]}
            for number, name in enumerate(names)
        ]
        body = {"tasks": tasks, "project": "3.1", "label_config": write(["A"])}
        answer = backend.client.post("/predict", json=body | {"params": {"context": None}})
        assert answer.status_code == 200
        return [len(item["result"]) if item else item for item in answer.json["results"]]

    return press


@pytest.fixture
def opening(backend, monkeypatch):
    """Which images were asked for; those with a time in their name take that, or never come."""
    asked, open_image, real = [], backend.parts.label_studio.connection.images.open, time.monotonic
    spent = 0.0
    monkeypatch.setattr(batch_deadline, "monotonic", lambda: real() + spent)

    def open_or_wait(address, task):
        nonlocal spent
        asked.append(address)
        if "silent" in address:
            spent += 20
            raise ImageTimeoutError(f"{address} takes longer than 20 seconds")
        if "slow" in address:
            spent += 40
        return open_image(address, task)

    monkeypatch.setattr(backend.parts.label_studio.connection.images, "open", open_or_wait)
    return asked


def test_the_tasks_left_when_time_is_over_are_told_and_asked_for_again(backend, retrieve, opening):
    names = [f"/slow{i}.png" for i in range(5)]
    first = retrieve(*names)
    assert first == [1, [], [], [], []]
    assert opening == names[:2], "the second one ended after its time; the others never began"
    (entry,) = backend.parts.journal.errors
    assert entry.code == "batch_unfinished"
    assert "project '3.1': 4 of the 5 tasks" in entry.message
    assert entry.message in backend.client.get("/").text.replace("&#39;", "'")
    assert retrieve(*names[1:]) == [1, [], [], []]
    assert backend.predictor.encodes == 3


def test_a_batch_in_time_leaves_nothing(backend, retrieve, opening):
    assert retrieve("/a.png", "/slow.png", "/b.png") == [1, 1, 1]
    assert backend.parts.journal.errors == []


def test_a_silent_host_is_not_asked_for_ever(backend, retrieve, opening):
    silent = [f"https://silent.example/{i}.png" for i in range(4)]
    assert retrieve(*silent, "https://else.example/a.png") == [[], [], [], [], 1]
    assert opening == [*silent[:2], "https://else.example/a.png"]
    newest = backend.parts.journal.errors[0]
    assert (newest.code, newest.count) == ("image_timeout", 2)
    assert "https://silent.example did not send 2 images" in newest.message


def test_one_image_that_comes_too_late_does_not_cost_its_host_the_others(retrieve, opening):
    names = ["/silent0.png", "/a.png", "/silent1.png", "/b.png"]
    assert retrieve(*names) == [[], 1, [], 1]
    assert opening == names


@pytest.mark.parametrize("image_seconds", [1, 20, 60, 75])
def test_time_is_over_well_before_label_studio_stops_waiting(image_seconds):
    """An image that is begun at the last moment takes as long as the settings allow."""
    assert BatchDeadline(image_seconds).seconds + image_seconds < 100


def test_some_images_are_begun_whatever_the_settings_allow_each():
    assert BatchDeadline(600).seconds == batch_deadline.MIN_START_SECONDS


def test_what_asks_for_nothing_is_not_left_but_prepared_though_time_is_over(
    backend, task, click, opening, monkeypatch
):
    prepared = []
    monkeypatch.setattr(
        backend.parts.label_studio.predict, "_prewarm", lambda address, _: prepared.append(address)
    )
    asking = {"predictions": [{"id": 5, "result": [click("A", 9, 9)], "created_at": "2026"}]}
    tasks = [task(i, image=f"/slow{i}.png") | asking for i in range(3)] + [task(9, image="/n.png")]
    body = {"tasks": tasks, "project": "3.1", "label_config": write(["A"])}
    answer = backend.client.post("/predict", json=body | {"params": {"context": None}})
    assert answer.status_code == 200
    assert prepared == ["/n.png"]
    assert "2 of the 4 tasks" in backend.parts.journal.errors[0].message
