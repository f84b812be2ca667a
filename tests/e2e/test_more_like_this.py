"""More like this, in the real product: one accepted mask, and a click that asks for the others."""

import pytest
from cells import GROUND, PLACES, draw
from photo import pixel

from backend.label_studio.config_writer import write

pytestmark = pytest.mark.e2e

LIKE = "More like this"


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("cells") / "cells.png", seed=5).path


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
    on_cells.click("Other", *GROUND)
    assert proposed <= {one.id for one in on_cells.suggestions()}


def test_what_is_rejected_does_not_come_back(demo, on_cells):
    on_cells.wait_until_saved(demo.api, on_cells.task, masks=1, clicks=0)
    on_cells.click(LIKE, *PLACES[0], inside=True)
    assert found(on_cells.suggestions())
    on_cells.reject_all()
    on_cells.click(LIKE, *PLACES[0], inside=True)
    assert not found(on_cells.suggestions())
