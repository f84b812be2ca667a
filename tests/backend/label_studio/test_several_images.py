"""Several images in a task: what is wrong with one costs the others nothing."""

import pytest

from backend.errors import ImageMissingError, ImageTimeoutError
from backend.label_studio.config_writer import write

CONFIG = write(["A", "B"]).replace('value="$image"', 'valueList="$images"')


@pytest.fixture
def several(task):
    def build(*addresses, **more):
        return task(5) | {
            "data": {"images": [f"/data/upload/1/{name}" for name in addresses]},
            **more,
        }

    return build


def spot(region):
    return region["item_index"], region["value"]["brushlabels"][0]


def test_a_broken_image_does_not_cost_the_others_their_masks(backend, click, several):
    own = several("a.png", "missing.png")
    on_broken = click("A", 50, 50) | {"item_index": 1}
    assert backend.predict({"result": [on_broken]}, task=own, config=CONFIG).status_code == 404
    (region,) = backend.result(click("B", 100, 100) | {"item_index": 0}, task=own, config=CONFIG)
    assert spot(region) == (0, "B")
    assert backend.parts.journal.counts == {"image_missing": 2}
    again = backend.predict({"result": [on_broken]}, task=own, config=CONFIG)
    assert [spot(region) for region in again.json["results"][0]["result"]] == [(0, "B")]


def test_an_image_that_breaks_shows_its_last_masks(backend, click, several, monkeypatch):
    own = several("a.png", "b.png")
    (before,) = backend.result(click("A", 50, 50) | {"item_index": 1}, task=own, config=CONFIG)
    open_image = backend.parts.label_studio.connection.images.open

    def break_one(address, task):
        if address.endswith("b.png"):
            raise ImageMissingError("there is no image any more")
        return open_image(address, task)

    monkeypatch.setattr(backend.parts.label_studio.connection.images, "open", break_one)
    result = backend.result(click("B", 100, 100) | {"item_index": 0}, task=own, config=CONFIG)
    found = {spot(region): region for region in result}
    assert found.keys() == {(0, "B"), (1, "A")}
    assert found[1, "A"]["value"]["rle"] == before["value"]["rle"]


@pytest.fixture
def silent(backend, monkeypatch):
    """Hosts that do not answer: which of their images were asked for."""
    asked, open_image = [], backend.parts.label_studio.connection.images.open

    def open_or_wait(address, task):
        if "silent" not in address:
            return open_image(address, task)
        asked.append(address[-5])
        raise ImageTimeoutError("nothing within 20 s")

    monkeypatch.setattr(backend.parts.label_studio.connection.images, "open", open_or_wait)
    return asked


def test_a_click_waits_for_one_silent_host_beside_its_image_at_most(
    backend, click, several, silent
):
    own = several("silent0.png", "silent1.png", "silent2.png", "a.png")
    for index in range(3):
        on_silent = click("A", 50, 50, name=f"click {index}") | {"item_index": index}
        assert backend.predict({"result": [on_silent]}, task=own, config=CONFIG).status_code == 504
    silent.clear()
    (region,) = backend.result(click("B", 100, 100) | {"item_index": 3}, task=own, config=CONFIG)
    assert spot(region) == (3, "B")
    assert silent == ["0"]


def test_no_image_is_fetched_for_a_call_that_a_newer_one_has_replaced(
    backend, click, several, monkeypatch
):
    own = several("a.png", "b.png")
    backend.result(click("A", 50, 50) | {"item_index": 1}, task=own, config=CONFIG)
    backend.photos.fetched.clear()
    monkeypatch.setattr(backend.parts.sessions, "is_superseded", lambda ticket: True)
    assert backend.result(click("B", 9, 9) | {"item_index": 0}, task=own, config=CONFIG) == []
    assert backend.photos.fetched == []


def test_in_a_batch_too_the_good_images_are_answered(backend, click, several):
    regions = [click("A", 50, 50) | {"item_index": 1}, click("B", 100, 100) | {"item_index": 0}]
    predictions = [{"id": 1, "created_at": "2026", "result": regions}]
    own = several("a.png", "missing.png", predictions=predictions)
    answer = backend.predict(None, task=own, config=CONFIG)
    assert [spot(region) for region in answer.json["results"][0]["result"]] == [(0, "B")]
