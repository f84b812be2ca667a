"""An annotator without a browser: calls the whole backend, in this process, over HTTP."""

import io
import json
import tempfile
import threading
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image
from werkzeug.serving import WSGIRequestHandler, make_server

from backend.composition import Backend, open_backend
from backend.images.decode import digest
from backend.label_studio.config_writer import write
from backend.label_studio.task_images import FetchedImage
from backend.settings import load
from dynamite import brush_rle

Region = dict[str, Any]

OK = 200


class KeptAlive(WSGIRequestHandler):
    """Keeps connections open, as the real server does."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Log nothing."""


class Desk:
    """A backend with the shipped model, on photos in memory."""

    def __init__(self, *, labels: int = 100, output: str = "brush", cvat: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory()
        state = Path(self._folder.name)
        redis_url = f"unix://{state}/no-server.sock"
        # No disk cache: nothing is written while clicks are measured.
        settings = load(
            state_dir=state, redis_url=redis_url, device="cpu", cache_disk_mb=0, cvat=cvat
        )
        self.parts: Backend = open_backend(settings)
        self.parts.label_studio.connection.images.use(self)
        self.photos: dict[str, bytes] = {}
        self.config = write([f"L{number}" for number in range(labels)], output=output)
        self._tasks = count(1)
        self._server = make_server(
            "127.0.0.1",
            0,
            self.parts.app,
            threaded=True,
            request_handler=KeptAlive,
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        # http.client, because requests takes milliseconds in the server's own process.
        self._http = HTTPConnection("127.0.0.1", self._server.server_port, timeout=600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.parts.close()
        self._folder.cleanup()

    def fetch(self, value: str, task_id: int | str | None = None) -> FetchedImage:  # noqa: ARG002
        """Return the bytes of a photo."""
        return FetchedImage(self.photos[value], digest(self.photos[value]))

    def add(self, name: str, pixels: np.ndarray) -> str:
        """Add a photo and return its address."""
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        return self.add_file(name, file.getvalue())

    def add_file(self, name: str, data: bytes) -> str:
        """Add the file of a photo and return its address."""
        self.photos[name] = data
        return name

    def new_task(self) -> int:
        return next(self._tasks)

    def warm(self, address: str) -> None:
        self.parts.label_studio.warm(address, "0")

    def click(
        self, address: str, context: list[Region], draft: list[Region] = (), task: int = 0
    ) -> list[Region]:
        """Make one interactive call, on a new page unless a task is given."""
        answered = self.send(self.body(address, context, draft, task))
        result: list[Region] = json.loads(answered)["results"][0]["result"]
        return result

    def body(
        self, address: str, context: list[Region], draft: list[Region] = (), task: int = 0
    ) -> bytes:
        """Return the body of a call, made separately so that its cost is not measured."""
        number = task or self.new_task()
        drafts = []
        if draft:
            time = "2026-01-01T00:00:00.000000Z"
            drafts = [{"id": number, "user": "a@b", "updated_at": time, "annotation": None}]
            drafts[0] |= {"created_at": time, "created_username": "a@b, 1", "result": list(draft)}
        body = {
            "tasks": [{"id": number, "data": {"image": address}, "drafts": drafts}],
            "project": "1.1",
            "label_config": self.config,
            "params": {"login": None, "password": None, "context": {"result": context}},
        }
        return json.dumps(body).encode()

    def send(self, body: bytes) -> bytes:
        """Send a call and return the body of the answer."""
        return self._post("/predict", body, {})

    def invoke(self, body: bytes, agent: str) -> bytes:
        """Send a call of a CVAT that calls itself ``agent``; return the body of the answer."""
        return self._post("/api/function_invocations", body, {"User-Agent": agent})

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        self._http.request("POST", path, body, {"Content-Type": "application/json"} | headers)
        answer = self._http.getresponse()
        answered = answer.read()
        if answer.status != OK:
            raise RuntimeError(f"{path} answered {answer.status}: {answered[:500]!r}")
        return answered


def keypoint(label: int, x: float, y: float, height: int, width: int) -> Region:
    """Return a smart keypoint at a pixel."""
    value = {"x": x / width * 100, "y": y / height * 100, "width": 0.25}
    value |= {"keypointlabels": [f"L{label}"], "labels": [f"L{label}"]}
    named = {"id": f"k{label}-{x:.0f}-{y:.0f}", "from_name": "click", "type": "keypointlabels"}
    return _placed(named | {"value": value, "is_positive": True}, height, width)


def accepted(label: int, number: int, x: float, y: float, height: int, width: int) -> Region:
    """Return an accepted mask: a small disc around a pixel."""
    rows, columns = np.mgrid[:height, :width]
    mask = np.hypot(columns - x, rows - y) < min(height, width) / 40
    value = {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [f"L{label}"]}
    named = {"id": f"a{number}", "from_name": "mask", "type": "brushlabels"}
    return _placed(named | {"value": value}, height, width)


def _placed(region: Region, height: int, width: int) -> Region:
    size = {"original_height": height, "original_width": width, "image_rotation": 0}
    return region | size | {"to_name": "image", "origin": "manual"}
