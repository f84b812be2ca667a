"""More like this, in the real product: one accepted mask, and a click that asks for the others."""

import cv2
import numpy as np
import pytest
from photo import pixel

from backend.label_studio.config_writer import write

pytestmark = pytest.mark.e2e

LIKE = "More like this"
WIDTH, HEIGHT = 640, 480
PLACES = [
    (12 + 19 * column + 3 * (row % 2), 14 + 24 * row) for row in range(4) for column in range(5)
]
"""Percent of the image: where cells lie, all but the first to be found."""


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """Bright round cells on dark ground, each of its own size."""
    rng = np.random.default_rng(5)
    canvas = np.full((HEIGHT, WIDTH, 3), (52, 30, 38), np.uint8)
    for x, y in PLACES:
        axes = int(rng.integers(20, 28)), int(rng.integers(18, 26))
        center = int(x / 100 * WIDTH), int(y / 100 * HEIGHT)
        shade = tuple(int(value) for value in rng.integers(170, 215) + np.array([0, 15, 10]))
        cv2.ellipse(canvas, center, axes, int(rng.integers(180)), 0, 360, shade, cv2.FILLED)
    noisy = cv2.GaussianBlur(canvas, (0, 0), 1.5) + rng.normal(0, 5, canvas.shape)
    path = tmp_path_factory.mktemp("cells") / "cells.png"
    cv2.imwrite(str(path), np.clip(noisy, 0, 255).astype(np.uint8))
    return path


@pytest.fixture
def on_cells(demo, person, picture):
    """A person who has accepted the mask of the first cell."""
    config = write(["Cell", "Other"], like=LIKE)
    project, _ = demo.project(images=(), config=config)
    with picture.open("rb") as file:
        demo.api.post(f"/api/projects/{project}/import", files={"cells.png": file})
    (task,) = [one["id"] for one in demo.api.tasks(project)]
    person.open_task(project, task)
    person.click("Cell", *PLACES[0])
    person.accept_all()
    return person


def found(regions):
    """The places that lie on one of the masks."""
    return {place for place in PLACES[1:] if any(pixel(one.mask, place) for one in regions)}


def test_all_cells_are_proposed_and_accepted(demo, on_cells):
    (first,) = on_cells.regions()
    on_cells.click(LIKE, *PLACES[0], inside=True)
    proposed = [one for one in on_cells.suggestions() if one.id != first.id]
    on_cells.screenshot("more-like-this-suggestions")
    assert len(found(proposed)) >= 0.8 * (len(PLACES) - 1)
    assert {one.labels for one in proposed} == {("Cell",)}
    assert sum(one.mask.astype(int) for one in [first, *proposed]).max() == 1
    on_cells.accept_all()
    assert {one.id for one in on_cells.regions()} == {first.id, *(one.id for one in proposed)}
    on_cells.wait_until_saved(demo.api, on_cells.task, masks=1 + len(proposed), clicks=0)
    on_cells.click(LIKE, *PLACES[0], inside=True)
    assert not found(on_cells.suggestions()) & found(proposed)


def test_proposals_stay_while_another_object_is_clicked(on_cells):
    (first,) = on_cells.regions()
    on_cells.click(LIKE, *PLACES[0], inside=True)
    proposed = {one.id for one in on_cells.suggestions()} - {first.id}
    assert proposed
    on_cells.click("Other", 2, 97)
    assert proposed <= {one.id for one in on_cells.suggestions()}


def test_what_is_rejected_does_not_come_back(demo, on_cells):
    on_cells.wait_until_saved(demo.api, on_cells.task, masks=1, clicks=0)
    on_cells.click(LIKE, *PLACES[0], inside=True)
    assert found(on_cells.suggestions())
    on_cells.reject_all()
    on_cells.click(LIKE, *PLACES[0], inside=True)
    assert not found(on_cells.suggestions())
