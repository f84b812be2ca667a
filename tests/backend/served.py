"""A backend without a network: discs for masks, real HTTP objects, a real queue server."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from backend import composition
from backend.cvat.collect.job_names import EVENT_JOB as CVAT_EVENT_JOB
from backend.jobs.job_queue import JobQueue
from backend.label_studio.config_writer import write
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.serving.engine import Engine, Model
from backend.serving.error_journal import ErrorJournal
from backend.serving.meters import Meters
from backend.settings import load
from tests.fakes import DiscPredictor, KeyedCache, Photos

CAPTURES = Path(__file__).parent / "captures"


@dataclass
class Backend:
    """The application with all its parts at hand."""

    settings: object
    parts: composition.Backend
    predictor: DiscPredictor
    photos: Photos
    client: object

    def predict(self, context, *, task=None, config=None, drafts=(), project="3.1795330728"):
        body = {
            "tasks": [task or a_task(drafts=list(drafts))],
            "project": project,
            "label_config": config or write(["A", "B"]),
            "params": {"login": None, "password": None, "context": context},
        }
        return self.client.post("/predict", json=body)

    def result(self, *regions, **more):
        answer = self.predict({"result": list(regions)}, **more)
        assert answer.status_code == 200, answer.text
        (one,) = answer.json["results"]
        return one["result"]


def a_task(number=1, *, image="/data/upload/1/a.png", drafts=()):
    return {
        "id": number,
        "data": {"image": image},
        "annotations": [],
        "drafts": list(drafts),
        "predictions": [],
        "project": 3,
    }


def a_click(label, x, y, *, positive=True, name=None):
    """A smart keypoint at pixel x, y of a 600×400 image."""
    return {
        "original_width": 600,
        "original_height": 400,
        "image_rotation": 0,
        "value": {
            "x": x / 6,
            "y": y / 4,
            "width": 0.25,
            "labels": [label],
            "keypointlabels": [label],
        },
        "is_positive": positive,
        "id": name or f"{label}-{x}-{y}",
        "from_name": "click",
        "to_name": "image",
        "type": "keypointlabels",
        "origin": "manual",
    }


def a_capture(name):
    return copy.deepcopy(json.loads((CAPTURES / f"{name}.json").read_text())["request"]["body"])


@pytest.fixture
def click():
    return a_click


@pytest.fixture
def task():
    return a_task


@pytest.fixture
def capture():
    return a_capture


@pytest.fixture
def make_backend(tmp_path, monkeypatch, queue_server):
    """Builds backends with settings of their own."""
    monkeypatch.chdir(tmp_path)
    opened = []

    # A busy machine must not send events to disk in tests that look for them in the queue.
    def build(answer_seconds=5, **overrides):
        overrides = {"redis_url": queue_server, "state_dir": tmp_path / "state"} | overrides
        settings = load(**overrides)

        def queue(folder, job):
            spool = settings.state_dir / folder
            return JobQueue(settings.queue_url, spool, job, answer_seconds=answer_seconds)

        predictor, photos, meters = DiscPredictor(), Photos(), Meters()
        model = Model(predictor, "discs-1", "cpu")
        cache = KeyedCache()
        parts = composition.assemble(
            settings,
            engine=Engine(model, cache, meters.observe),
            cache=cache,
            queue=queue("spool", EVENT_JOB),
            cvat_queue=queue("spool/cvat", CVAT_EVENT_JOB) if settings.cvat else None,
            journal=ErrorJournal(),
            meters=meters,
        )
        parts.label_studio.connection.images.use(photos)
        opened.append(parts)
        return Backend(settings, parts, predictor, photos, parts.app.test_client())

    with Redis.from_url(queue_server) as connection:
        connection.flushall()
    yield build
    for parts in opened:
        parts.close()


@pytest.fixture
def backend(make_backend):
    return make_backend()
