"""Pre-labelling in the real product: a task that is opened with proposals, corrected, submitted."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests
from cells import PLACES, draw
from click.testing import CliRunner
from photo import inside, pixel

from backend.cli import main
from backend.label_studio.config_writer import write
from backend.label_studio.region_reader import read_region
from tests.ports import free_port
from training.proposing.kept import KeptDescriptions

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # a second backend starts

LIKE = "More like this"
PICTURES, ACCEPTED = 9, 2
STARTING = 300


@dataclass
class Project:
    """A project whose first images have been accepted; ``tasks`` are the others."""

    number: int
    tasks: list[int]


@dataclass
class Backend:
    """A backend that pre-labels the first of two projects; ``folder`` holds its state."""

    url: str
    folder: Path
    on: Project
    off: Project


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    return [draw(folder / f"cells-{seed}.png", seed) for seed in range(PICTURES)]


@pytest.fixture(scope="module")
def backend(demo, pictures, tmp_path_factory):
    """Such a backend, which has described the accepted images of both projects."""
    folder, port = tmp_path_factory.mktemp("state"), free_port()
    on, off = (cells(demo, pictures) for _ in range(2))
    own = {
        "DYNAMITE_PRELABEL_PROJECTS": str(on.number),
        "DYNAMITE_LABEL_STUDIO_URL": demo.url,
        "DYNAMITE_LABEL_STUDIO_API_KEY": demo.token,
        "DYNAMITE_STATE_DIR": str(folder),
        "DYNAMITE_TRAIN_WORKER": "false",
    }
    with (folder / "said").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "serve", "--port", str(port)],
            env=os.environ | own,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait(lambda: answers(process, url, log.name), "the backend to start")
        for project in (on, off):
            row = {"project": project.number, "url": url, "title": "DynaMITE"}
            demo.api.post("/api/ml", row | {"is_interactive": True})
            accept(demo, project, pictures)
            wait(
                lambda one=project: is_described(folder, one), "the accepted cells to be described"
            )
        yield Backend(url, folder, on, off)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def answers(process, url, said):
    assert process.poll() is None, Path(said).read_text()
    return requests.get(f"{url}/health", timeout=5).ok


def cells(demo, pictures):
    project, _ = demo.project(images=(), config=write(["Cell", "Other"], like=LIKE), attach=False)
    for one in pictures:
        with one.path.open("rb") as file:
            demo.api.post(f"/api/projects/{project}/import", files={one.path.name: file})
    return Project(project, sorted(task["id"] for task in demo.api.tasks(project)))


def accept(demo, project, pictures):
    """Submit annotations with every cell of the first pictures."""
    for one in pictures[:ACCEPTED]:
        task = project.tasks.pop(0)
        demo.api.post(f"/api/tasks/{task}/annotations/", {"result": one.result("Cell")})


def is_described(folder, project):
    kept = KeptDescriptions(folder / "models" / ".shared-descriptions")
    record = kept.record(("label_studio", project.number))
    return record is not None and len(record.entries) == ACCEPTED


def wait(what, says):
    deadline = time.monotonic() + STARTING
    while True:
        try:
            if what():
                return
        except requests.ConnectionError:
            pass
        assert time.monotonic() < deadline, f"waited for {says}"
        time.sleep(0.2)


def predictions(demo, task):
    return demo.api.get("/api/predictions", task=task)


@pytest.fixture
def on_task(demo, person, backend):
    """Opens one more task of the project that is pre-labelled."""
    task = backend.on.tasks.pop()
    person.open_task(backend.on.number, task)
    return person


def found(regions):
    """The places of cells that lie on one of the masks."""
    return {place for place in PLACES if any(pixel(one.mask, place) for one in regions)}


def test_a_task_is_opened_with_proposals_to_submit(demo, backend, on_task):
    regions = on_task.regions()
    on_task.screenshot("prelabelling-opened")
    assert len(found(regions)) >= 0.8 * len(PLACES)
    assert {one.labels for one in regions} == {("Cell",)}
    (stored,) = predictions(demo, on_task.task)
    assert {one["id"] for one in stored["result"]} == {one.id for one in regions}
    scores = [one["score"] for one in stored["result"]]
    assert stored["score"] == pytest.approx(sum(scores) / len(scores), abs=1e-3)
    on_task.submit()
    kept = demo.submitted(on_task.task, objects=len(regions))
    assert {one["id"] for one in kept} == {one.id for one in regions}


def test_a_project_that_does_not_ask_for_it_gets_nothing(demo, person, backend):
    task = backend.off.tasks[0]
    person.open_task(backend.off.number, task)
    assert person.regions() == []
    assert predictions(demo, task) == []


def test_the_status_page_says_how_right_proposals_are(backend):
    page = requests.get(backend.url, timeout=30).text
    (row,) = re.findall(r"Pre-labelling, [^<]*\(project (\d+)\)", page)
    assert int(row) == backend.on.number
    right, proposed = re.search(r"people labelled (\d+) of (\d+) proposals", page).groups()
    assert int(right) >= 0.8 * int(proposed) > 0


@pytest.mark.parametrize("is_saved", [False, True])
def test_a_click_corrects_a_prelabelled_region_in_place(demo, on_task, is_saved):
    before = {one.id: one.mask for one in on_task.regions()}
    if is_saved:  # a draft exists once something has been changed
        on_task.delete_mask("Cell")
        before = {one.id: one.mask for one in on_task.regions()}
        on_task.wait_until_saved(demo.api, on_task.task, masks=len(before))
    region, mask = next(iter(before.items()))
    middle = 100 * np.argwhere(mask).mean(0) / mask.shape
    away = inside(mask, (middle[1], middle[0]))
    on_task.click("Cell", *away, inside=True, negative=True)
    (suggested,) = on_task.suggestions()
    assert suggested.id == region
    assert not pixel(suggested.mask, away)
    on_task.accept_all()
    after = {one.id: one.mask for one in on_task.regions()}
    assert after.keys() == before.keys()
    assert {name for name in after if (after[name] != before[name]).any()} == {region}


def test_what_is_deleted_does_not_come_back(demo, backend, on_task):
    before = on_task.regions()
    on_task.delete_mask("Cell")
    on_task.delete_mask("Cell")
    left = {one.id for one in on_task.regions()}
    assert len(left) == len(before) - 2
    on_task.wait_until_saved(demo.api, on_task.task, masks=len(left))
    retrieve(demo, backend.on)
    on_task.open_task(backend.on.number, on_task.task)
    assert {one.id for one in on_task.regions()} == left
    on_task.click(LIKE, *next(iter(found(on_task.regions()))), inside=True)
    gone = [one for one in before if one.id not in left]
    assert not found(on_task.suggestions()) & found(gone)
    on_task.reject_all()
    on_task.submit()
    demo.submitted(on_task.task, objects=len(left))
    on_task.open_task(backend.on.number, on_task.task)
    assert {one.id for one in on_task.regions()} == left


def retrieve(demo, project):
    """What "Retrieve Predictions" of the Data Manager does, for all tasks."""
    action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.number}"
    demo.api.post(action, {"selectedItems": {"all": True, "excluded": []}})


def ordered(demo, project):
    """Task and score as the Data Manager shows them, by the column "Prediction score"."""
    order = '{"ordering": ["tasks:predictions_score"]}'
    answer = demo.api.get("/api/tasks", project=project.number, query=order, fields="all")
    rows = [(one["id"], one["predictions_score"]) for one in answer["tasks"]]
    return [row for row in rows if row[1] is not None]


def test_retrieved_predictions_have_scores_to_order_by(demo, backend):
    retrieve(demo, backend.on)
    retrieve(demo, backend.off)
    assert demo.api.get("/api/predictions", project=backend.off.number) == []
    stored = demo.api.get("/api/predictions", project=backend.on.number)
    scores = {one["task"]: one["score"] for one in stored}
    assert scores.keys() >= set(backend.on.tasks)
    for one in stored:
        masks = [read_region(region).pixels() for region in one["result"]]
        assert np.sum(masks, axis=0).max() == 1
    assert ordered(demo, backend.on) == []  # while a model is chosen for predictions
    (version,) = {one["model_version"] for one in stored}
    choose(demo, backend.on, version)
    rows = ordered(demo, backend.on)
    assert dict(rows) == pytest.approx(scores)
    assert [score for _, score in rows] == sorted(score for _, score in rows)


def choose(demo, project, version):
    """Settings → Annotation → "Use predictions to prelabel tasks"."""
    answer = requests.patch(
        f"{demo.url}/api/projects/{project.number}/",
        json={"model_version": version},
        headers={"Authorization": f"Token {demo.token}"},
        timeout=60,
    )
    assert answer.ok, answer.text


def test_next_lists_the_tasks_with_the_lowest_scores_first(demo, backend, monkeypatch):
    retrieve(demo, backend.on)
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(backend.folder))
    where = ["--label-studio", demo.url, "--token", demo.token]
    said = CliRunner().invoke(main, ["next", "--project", str(backend.on.number), *where])
    assert said.exit_code == 0, said.output
    listed = [int(line.split()[1]) for line in said.output.splitlines() if line.startswith("task")]
    assert set(listed) >= set(backend.on.tasks)
    scores = {
        one["task"]: one["score"]
        for one in demo.api.get("/api/predictions", project=backend.on.number)
    }
    assert [scores[task] for task in listed] == sorted(scores[task] for task in listed)
    off = CliRunner().invoke(main, ["next", "--project", str(backend.off.number), *where])
    assert f"{len(backend.off.tasks)} without a prediction" in off.output
