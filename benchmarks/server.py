"""The real server as a process, and simulated annotators who keep it busy."""

import io
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import numpy as np
import requests
from PIL import Image

from backend.label_studio.config_writer import write

SIZE = (480, 640)
"""Height and width of the photos, in pixels."""

START_SECONDS = 120
"""Longest start of the server."""

LOOK_SECONDS = 1.0
"""Time for which a person looks at an answer."""

CONFIG = write(["Cup", "Cake", "Plate"])


class Server:
    """``dynamite serve`` with the shipped model; photos are read from a folder."""

    def __init__(self, *, with_worker: bool = True, **settings: object) -> None:
        """``settings`` are those of the backend, by name."""
        self._folder = tempfile.TemporaryDirectory()
        self.photos = Path(self._folder.name) / "photos"
        self.photos.mkdir()
        port = free_port()
        own = {
            "DYNAMITE_PORT": str(port),
            "DYNAMITE_STATE_DIR": f"{self._folder.name}/state",
            "DYNAMITE_LOCAL_FILES_ROOT": str(self.photos),
            "DYNAMITE_LOG_LEVEL": "error",
        } | {f"DYNAMITE_{name.upper()}": str(value) for name, value in settings.items()}
        self.url = f"http://127.0.0.1:{port}"
        workers = [] if with_worker else ["--no-worker"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "serve", *workers],
            env={name: value for name, value in os.environ.items() if name != "REDIS_URL"} | own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server does not start; `dynamite serve` says why")
            time.sleep(0.2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._folder.cleanup()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=2).ok
        except requests.RequestException:
            return False

    @property
    def web_process(self) -> int:
        """The number of the process that owns the model."""
        below = descendants(self._process.pid)
        (found,) = (one for one in below if is_web(one) and not descendants(one))
        return found


def descendants(process: int) -> list[int]:
    """Return the numbers of the processes that a process has started, and of theirs."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    children = [int(one) for one in text.split()]
    return [one for child in children for one in (child, *descendants(child))]


def is_web(process: int) -> bool:
    """Return whether a process is one of the web server's."""
    return b"backend.launcher.web" in Path(f"/proc/{process}/cmdline").read_bytes()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def add_photo(folder: Path, seed: int) -> str:
    """Write a photo into the folder and return its address."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(SIZE[::-1]).save(file, "JPEG")
    (folder / f"{seed}.jpg").write_bytes(file.getvalue())
    return f"/data/local-files/?d={seed}.jpg"


def click_body(address: str, task: int, number: int) -> dict[str, Any]:
    """Return what Label Studio sends for click ``number`` of a task."""
    x, y = np.random.default_rng(number).random(2) * 100
    point = {"x": x, "y": y, "width": 0.2, "keypointlabels": ["Cup"], "labels": ["Cup"]}
    region: dict[str, Any] = {
        "id": f"k{number}",
        "from_name": "click",
        "to_name": "image",
        "value": point,
    }
    region |= {"type": "keypointlabels", "is_positive": True}
    region |= {"original_width": SIZE[1], "original_height": SIZE[0], "image_rotation": 0}
    return {
        "tasks": [{"id": task, "data": {"image": address}, "drafts": []}],
        "project": "1.1",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": {"result": [region]}},
    }


def click_on(url: str, address: str, task: int) -> None:
    """Simulate an annotator who clicks on a warm photo without pausing."""
    with requests.Session() as http:
        for number in count():
            http.post(f"{url}/predict", json=click_body(address, task, number), timeout=600)


def open_photos(url: str, folder: Path) -> None:
    """Simulate an annotator who opens a new photo with every click."""
    with requests.Session() as http:
        for number in count(10_000):
            body = click_body(add_photo(folder, number), number, 0)
            http.post(f"{url}/predict", json=body, timeout=600)


def crowd(url: str, folder: Path, people: int) -> None:
    """Simulate many annotators at once, who click new photos and look at each answer."""

    def one(start: int) -> None:
        for number in count(start, people):
            body = click_body(add_photo(folder, number), number, 0)
            requests.post(f"{url}/predict", json=body, timeout=600)
            time.sleep(LOOK_SECONDS)

    for person in range(people):
        threading.Thread(target=one, args=(100_000 + person,), daemon=True).start()
    threading.Event().wait()


class Busy:
    """Runs processes that call the server until the block ends."""

    def __init__(self, *calls: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._people: list[BaseProcess] = [
            context.Process(target=call, args=arguments, daemon=True) for call, *arguments in calls
        ]

    def __enter__(self) -> Self:
        for person in self._people:
            person.start()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.kill()
            person.join()
