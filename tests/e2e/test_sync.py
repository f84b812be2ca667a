"""What no webhook brought is found in the real Label Studio, at once or by and by."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import requests
from click.testing import CliRunner

from backend.cli import main
from dynamite import brush_rle
from training.annotation_store import AnnotationStore, ProjectKey
from training.data.masks import decode

pytestmark = pytest.mark.e2e

SIZE = (481, 640)
"""H, W of the photo of the cake."""


def square(side):
    mask = np.zeros(SIZE, np.bool_)
    mask[50 : 50 + side, 60 : 60 + side] = True
    return mask


def painted(mask, label="Cake"):
    height, width = mask.shape
    return [
        {
            "id": f"r-{label}",
            "type": "brushlabels",
            "from_name": "mask",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "value": {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [label]},
        }
    ]


class Deaf:
    """A connected project whose webhooks are gone, and what the backend knows of it."""

    def __init__(self, demo):
        self.demo = demo
        self.number, (self.task,) = demo.project()
        for hook in demo.api.get("/api/webhooks/", project=self.number):
            demo.api.delete(f"/api/webhooks/{hook['id']}/")

    def submit(self, mask, **more):
        body = {"result": painted(mask)} | more
        return self.demo.api.post(f"/api/tasks/{self.task}/annotations/", body)["id"]

    def change(self, annotation, **what):
        answer = requests.patch(
            f"{self.demo.url}/api/annotations/{annotation}/",
            json=what,
            headers={"Authorization": f"Token {self.demo.token}"},
            timeout=60,
        )
        answer.raise_for_status()

    def remove(self, annotation):
        self.demo.api.delete(f"/api/annotations/{annotation}/")

    def kept(self):
        """The masks in the store, by annotation; None: skipped."""
        folder = self.demo.folder / "state/retraining/annotations"
        folder.parent.mkdir(exist_ok=True)  # no worker may have had anything to do yet
        with AnnotationStore(folder) as store:
            return {
                found.annotation_id: None if found.cancelled else mask_of(found)
                for found in store.annotations([ProjectKey("label_studio", self.number)])
            }

    def sync(self):
        where = ["--label-studio", self.demo.url, "--token", self.demo.token]
        result = CliRunner().invoke(main, ["sync", "--project", str(self.number), *where])
        assert result.exit_code == 0, result.output
        return result.output


def mask_of(annotation):
    (image,) = annotation.images
    (region,) = image.regions
    size = [image.height, image.width]
    return decode({"size": size, "counts": region.counts}, tuple(size))


@pytest.fixture
def project(demo, monkeypatch):
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(demo.folder / "state"))
    return Deaf(demo)


def test_the_list_of_tasks_holds_what_tells_that_annotations_have_changed(project):
    def listed():
        (task,) = project.demo.api.tasks(project.number)
        return task["updated_at"], task["total_annotations"], task["cancelled_annotations"]

    states = [listed()]
    annotation = project.submit(square(40))
    states.append(listed())
    project.change(annotation, result=painted(square(50)))
    states.append(listed())
    project.remove(annotation)
    states.append(listed())
    project.submit(square(40), was_cancelled=True)
    states.append(listed())
    assert [(total, skipped) for _, total, skipped in states] == [
        (0, 0),
        (1, 0),
        (1, 0),
        (0, 0),
        (0, 1),
    ]
    times = [time for time, *_ in states]
    assert times == sorted(set(times))


def test_sync_takes_in_what_was_submitted_changed_deleted_and_skipped(project):
    one = project.submit(square(40))
    assert project.kept() == {}
    assert "1 stored, 0 deleted" in project.sync()
    assert (project.kept()[one] == square(40)).all()
    assert "0 stored" in project.sync()
    project.change(one, result=painted(square(90)))
    two = project.submit(square(30))
    project.sync()
    assert set(project.kept()) == {one, two}
    assert (project.kept()[one] == square(90)).all()
    project.remove(one)
    project.sync()
    assert set(project.kept()) == {two}
    project.change(two, was_cancelled=True)
    project.sync()
    assert project.kept() == {two: None}
    project.change(two, was_cancelled=False)
    project.sync()
    assert (project.kept()[two] == square(30)).all()
    project.demo.api.delete(f"/api/tasks/{project.task}/")
    project.sync()
    assert project.kept() == {}


def test_by_and_by_a_worker_finds_it_without_being_told_the_project(project):
    annotation = project.submit(square(40))
    environment = os.environ | {
        "REDIS_URL": f"unix://{project.demo.folder / 'state' / 'valkey.sock'}",
        "LABEL_STUDIO_URL": project.demo.url,
        "LABEL_STUDIO_API_KEY": project.demo.token,
        "DYNAMITE_RECONCILE_MINUTES": "0.1",
    }
    command = [sys.executable, "-m", "backend.cli", "worker", "--queues", "ingest"]
    worker = subprocess.Popen(command, env=environment)
    try:
        wait(lambda: annotation in project.kept(), "the annotation")
        project.remove(annotation)
        wait(lambda: annotation not in project.kept(), "its removal")
    finally:
        worker.kill()
        worker.wait()


def wait(until, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)
