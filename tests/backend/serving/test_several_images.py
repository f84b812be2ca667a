"""Several images in a task: what is wrong with one costs the others nothing."""

import pytest

from backend.images.errors import ImageMissingError
from backend.label_studio.labeling_config import write

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
    assert backend.services.journal.counts == {"image_missing": 2}
    again = backend.predict({"result": [on_broken]}, task=own, config=CONFIG)
    assert [spot(region) for region in again.json["results"][0]["result"]] == [(0, "B")]


def test_an_image_that_breaks_shows_its_last_masks(backend, click, several, monkeypatch):
    own = several("a.png", "b.png")
    (before,) = backend.result(click("A", 50, 50) | {"item_index": 1}, task=own, config=CONFIG)
    open_image = backend.services.images.open

    def break_one(address, task):
        if address.endswith("b.png"):
            raise ImageMissingError("there is no image any more")
        return open_image(address, task)

    monkeypatch.setattr(backend.services.images, "open", break_one)
    result = backend.result(click("B", 100, 100) | {"item_index": 0}, task=own, config=CONFIG)
    found = {spot(region): region for region in result}
    assert found.keys() == {(0, "B"), (1, "A")}
    assert found[1, "A"]["value"]["rle"] == before["value"]["rle"]


def test_in_a_batch_too_the_good_images_are_answered(backend, click, several):
    regions = [click("A", 50, 50) | {"item_index": 1}, click("B", 100, 100) | {"item_index": 0}]
    predictions = [{"id": 1, "created_at": "2026", "result": regions}]
    own = several("a.png", "missing.png", predictions=predictions)
    answer = backend.predict(None, task=own, config=CONFIG)
    assert [spot(region) for region in answer.json["results"][0]["result"]] == [(0, "B")]
