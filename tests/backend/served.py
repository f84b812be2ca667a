"""A backend without a network: discs for masks, real HTTP objects, a real queue server."""

import copy
import io
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from redis import Redis

from backend import composition
from backend.errors import ImageMissingError
from backend.images.decode import digest
from backend.jobs.job_queue import JobQueue
from backend.label_studio.ingest.jobs import EVENT_JOB
from backend.label_studio.labeling_config import write
from backend.label_studio.task_images import FetchedImage
from backend.serving.engine import Engine, Model
from backend.serving.error_journal import ErrorJournal
from backend.serving.meters import Meters
from backend.settings import load

CAPTURES = Path(__file__).parent / "captures"
RADIUS = 40


@dataclass
class Discs:
    """A predictor whose masks are discs around clicks; counts its work, and can be slowed."""

    encodes: int = 0
    segments: int = 0
    order: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    fail: Exception | None = None

    def __post_init__(self):
        self.gate.set()

    def encode(self, image):
        assert self.gate.wait(20)
        self.encodes += 1
        self.order.append(f"encode {image[0, 0, 0]}")
        return SimpleNamespace(
            image_size=image.shape[:2], model_version="discs-1", nbytes=1000, image=image
        )

    def segment(self, features, clicks):
        self.segments += 1
        self.order.append("segment")
        if self.fail is not None:
            raise self.fail
        height, width = features.image_size
        rows, columns = np.mgrid[:height, :width]
        label_map = np.full((height, width), -1, np.int16)
        nearest = np.full((height, width), float(RADIUS))
        for index, group in [*enumerate(clicks.objects), (-1, clicks.background)]:
            for click in group:
                top, left = max(0, int(click.y) - RADIUS), max(0, int(click.x) - RADIUS)
                near = np.s_[top : top + 2 * RADIUS + 2, left : left + 2 * RADIUS + 2]
                distance = np.hypot(columns[near] - click.x, rows[near] - click.y)
                label_map[near][distance < nearest[near]] = index
                nearest[near] = np.minimum(nearest[near], distance)
        return SimpleNamespace(
            label_map=label_map, scores=np.full(len(clicks.objects), 0.9, np.float32)
        )


class Cache:
    """Keeps features by key, one computation at a time."""

    misses = 0

    def __init__(self):
        self.kept = {}
        self.locks = {}
        self.lock = threading.Lock()

    def get(self, digest, model_version, compute):
        key = (digest, model_version)
        with self.lock:
            lock = self.locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self.kept:
                self.kept[key] = compute()
            return self.kept[key]

    def tiers(self):
        return []

    def close(self):
        """Nothing to write."""


class Photos:
    """Images by address: a plain color each, 600×400."""

    def __init__(self):
        self.fetched = []

    def fetch(self, value, task_id=None):
        self.fetched.append(value)
        if "missing" in value:
            raise ImageMissingError(f"there is no image at {value}")
        shade = sum(value.encode()) % 256
        file = io.BytesIO()
        Image.new("RGB", (600, 400), (shade, 0, 0)).save(file, "PNG")
        return FetchedImage(file.getvalue(), digest(file.getvalue()))


@dataclass
class Backend:
    """The application with all its parts at hand."""

    settings: object
    parts: composition.Backend
    predictor: Discs
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
        predictor, photos, meters = Discs(), Photos(), Meters()
        model = Model(predictor, "discs-1", "cpu")
        cache = Cache()
        parts = composition.assemble(
            settings,
            engine=Engine(model, cache, meters.encodes.observe),
            cache=cache,
            queue=JobQueue(
                settings.queue_url,
                settings.state_dir / "spool",
                EVENT_JOB,
                answer_seconds=answer_seconds,
            ),
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
