"""The ingest jobs with a real store, a real queue server, and images out of a dictionary."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from redis import Redis

from backend.label_studio.api import LabelStudioApi
from backend.label_studio.config_writer import write
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.ingest import Ingest
from backend.settings import load
from dynamite import brush_rle
from tests.fakes import Photos
from training.annotation_store import AnnotationStore

SIZE = (40, 60)

SOURCE = "label_studio"
"""The name that a Label Studio has by default."""


def mask(x=5, y=5, width=20, height=10, shape=SIZE):
    found = np.zeros(shape, np.bool_)
    found[y : y + height, x : x + width] = True
    return found


def brush(pixels, label="A", name="r1", **more):
    height, width = pixels.shape
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "value": {"format": "rle", "rle": brush_rle.encode(pixels), "brushlabels": [label]},
    } | more


def an_annotation(number=1, *regions, task=1, updated="2026-11-22T07:10:40.783276Z", **more):
    result = list(regions) or [brush(mask())]
    return {"id": number, "task": task, "result": result, "updated_at": updated} | more


def an_event(action="ANNOTATION_CREATED", annotation=None, *, image="/data/a.png", **more):
    annotation = annotation or an_annotation()
    body = {
        "action": action,
        "annotation": annotation,
        "task": {"id": annotation["task"], "data": {"image": image}},
        "project": {"id": 3, "label_config": write(["A", "B"])},
    }
    return {"body": body, "verified": True, "received_at": datetime.now(UTC).isoformat()} | more


@pytest.fixture
def make_ingest(tmp_path, monkeypatch, queue_server):
    monkeypatch.chdir(tmp_path)
    opened = []

    def build(api=None, **overrides):
        overrides = {"redis_url": queue_server, "state_dir": tmp_path / "state"} | overrides
        redis = Redis.from_url(queue_server)
        folder = tmp_path / f"retraining-{len(opened)}"
        folder.mkdir()
        store = AnnotationStore(folder / "annotations")
        settings = load(**overrides)
        bookkeeping = Bookkeeping(folder / f"{settings.label_studio_name}.sqlite")
        opened.extend([redis, store, bookkeeping])
        return Ingest(settings, store, bookkeeping, Photos(*SIZE), redis, api)

    with Redis.from_url(queue_server) as connection:
        connection.flushall()
    yield build
    for one in opened:
        one.close()


def parts(ingest):
    """What retraining is handed."""
    return ingest.settings, ingest.store, ingest.redis


@pytest.fixture
def many_held_out(monkeypatch):
    """Enough images are held out to publish a result, however few were accepted."""
    monkeypatch.setattr("backend.retraining.due.count_held_out", lambda *_: 1000)


@pytest.fixture
def ingest(make_ingest):
    return make_ingest(train_after=0)


class Site:
    """A Label Studio of a few answers by path; what is not there is a 404.

    Without any answer, all that answers is a proxy that its Label Studio is away from. Who wants to
    exchange a token gets the status ``exchange``.
    """

    def __init__(self):
        self.answers = {"/api/version": {"release": "1.23.0"}}
        self.exchange = 404
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0].rstrip("/")
                found = site.answers.get(path)
                missing = {"status_code": 404, "version": "1.23.0", "detail": "Not found."}
                answer = found if found is not None else missing if site.answers else {}
                content = json.dumps(answer).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(site.exchange)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site():
    found = Site()
    yield found
    found.close()


@pytest.fixture
def api(site):
    with LabelStudioApi(site.url, "a-legacy-token") as found:
        yield found
