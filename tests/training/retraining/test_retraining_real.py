"""The whole loop with everything real: queue server, two workers, a web server under clicks."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import requests

from dynamite import brush_rle
from tests.training.retraining.drawn import (
    CONFIG,
    LABELS,
    SIDE,
    a_task,
    accepted,
    drawn,
    tiny_weights,
)
from training.annotation_store import AnnotationStore

UNSEEN = range(1000, 1012)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(until, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = until()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


class Backend:
    """``dynamite serve`` in a process of its own."""

    def __init__(self, folder: Path, *arguments, **settings):
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        tiny_weights(folder / "start.safetensors")
        values = {
            "port": self.url.rpartition(":")[2],
            "state_dir": folder / "state",
            "checkpoint": folder / "start.safetensors",
            "device": "cpu",
            "torch_threads": 1,
            "exhaustive_projects": "all",
            "train_after": 0,
            "train_steps": 150,
            "train_crop": SIDE,
            "train_rate": 3e-3,
            "holdout_share": 0.4,
            "judge_most": 12,
            "judge_budget": 5,
            "reconcile_minutes": 0,
        } | settings
        self.environment = os.environ | {
            f"DYNAMITE_{name.upper()}": str(value) for name, value in values.items()
        }
        self.environment["OMP_NUM_THREADS"] = "1"
        self.log = (folder / "serve.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "serve", *arguments],
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        wait(self.version, 120, "the web server")

    def version(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5).json()["model_version"]
        except (requests.RequestException, ValueError):
            return None

    def versions(self):
        return requests.get(f"{self.url}/versions", timeout=30).json()

    def webhook(self, body):
        answer = requests.post(f"{self.url}/webhook", json=body, timeout=30)
        assert answer.status_code == 201

    def dynamite(self, *arguments):
        command = [sys.executable, "-m", "backend.cli", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def masks(self, number, task):
        """One click in the middle of each object of a drawn image, answered."""
        data, truth = drawn(number)
        clicks = []
        for label, mask in zip(LABELS, truth, strict=True):
            y, x = np.argwhere(mask).mean(0)
            value = {"x": 100 * x / SIDE, "y": 100 * y / SIDE, "keypointlabels": [label]}
            clicks.append(
                {
                    "id": f"{task}-{label}",
                    "type": "keypointlabels",
                    "from_name": "click",
                    "to_name": "image",
                    "original_width": SIDE,
                    "original_height": SIDE,
                    "is_positive": True,
                    "value": value,
                }
            )
        found = {}
        for click in clicks:
            answer = requests.post(
                f"{self.url}/predict",
                json={
                    "tasks": [a_task(task, data)],
                    "project": "3.1",
                    "label_config": CONFIG,
                    "params": {"context": {"result": [click]}},
                },
                timeout=100,
            )
            assert answer.status_code == 200, answer.text
            (result,) = answer.json()["results"]
            for region in result["result"]:
                (label,) = region["value"]["brushlabels"]
                rle = region["value"]["rle"]
                found[label] = brush_rle.decode(rle, (SIDE, SIDE)) > 127
        return found, truth

    def quality(self, first_task):
        """Mean IoU of one click each, on images that nobody has accepted."""
        ious = []
        for place, number in enumerate(UNSEEN):
            found, truth = self.masks(number, first_task + place)
            for label, mask in zip(LABELS, truth, strict=True):
                answer = found.get(label, np.zeros_like(mask))
                ious.append((answer & mask).sum() / (answer | mask).sum())
        return float(np.mean(ious))

    def web_processes(self):
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().decode(errors="replace")
                variables = (path / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "backend.launcher.web" in words and str(self.folder / "state") in variables:
                found.append(int(path.name))
        return found

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.log.close()


class Clicks:
    """An annotator who goes on clicking; every answer is kept."""

    def __init__(self, backend):
        self.backend, self.problems, self.count = backend, [], 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def run(self):
        task = 50_000
        while not self.stop.is_set():
            task += 1
            try:
                self.backend.masks(task % 40 + 1, task)
            except Exception as error:
                self.problems.append(repr(error)[:200])
            self.count += 1
            time.sleep(0.1)


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*arguments, **settings):
        running.append(Backend(tmp_path, *arguments, **settings))
        return running[-1]

    yield begin
    for backend in running:
        backend.close()


@pytest.mark.training
@pytest.mark.timeout(1500)
def test_accepted_annotations_make_a_better_model_that_serves_and_is_rolled_back(start):
    backend = start()
    shipped = backend.version()
    before = backend.quality(10_000)
    with Clicks(backend) as clicks:
        for number in range(1, 31):
            backend.webhook(accepted(number))
            backend.webhook(accepted(number))  # twice, as a storm brings them
        pressed = {"action": "START_TRAINING", "project": {"id": 3}}
        for _ in range(2):
            backend.webhook(pressed)
        state = wait(lambda: backend.versions()["training"], 400, "a training")
        wait(lambda: backend.versions()["training"]["status"] != "queued", 60, "its start")
        ended = ("finished", "failed")
        wait(lambda: backend.versions()["training"]["status"] in ended, 900, "its end")
        state = backend.versions()["training"]
        assert state["status"] == "finished", state
        assert state["verdict"].startswith("published"), state
        wait(lambda: backend.version() == state["version"], 10, "the swap")
        after = backend.quality(20_000)
        assert after > before + 0.05, (before, after)
        assert "published" in backend.dynamite("models", "list")
        assert backend.dynamite("jobs").count("train-shared-") == 1  # pressed twice, trained once
        backend.dynamite("models", "rollback")
        wait(lambda: backend.version() == shipped, 10, "the way back")
    assert clicks.problems == []
    assert clicks.count > 20
    # Killed while it swaps: it comes back with what is current.
    backend.dynamite("models", "promote", state["version"])
    for process in backend.web_processes():
        os.kill(process, signal.SIGKILL)
    wait(lambda: backend.version() == state["version"], 120, "the restarted server")


@pytest.mark.load
@pytest.mark.timeout(600)
def test_a_thousand_webhooks_in_a_minute_lose_nothing_while_clicks_go_on(start):
    backend = start(train_worker=False)

    def stored():
        with AnnotationStore(backend.folder / "state" / "retraining" / "annotations") as store:
            return len(store.annotations())

    with Clicks(backend) as clicks:
        started = time.monotonic()
        for number in range(1, 1001):
            event = accepted(number % 20 + 1)
            event["annotation"] |= {"id": number, "task": number}
            event["task"]["id"] = number
            backend.webhook(event)
        took = time.monotonic() - started
        wait(lambda: stored() == 1000, 300, "all of them")
        print(f"sent within {took:.0f} s, stored within {time.monotonic() - started:.0f} s")
    assert clicks.problems == []
    assert clicks.count > 0
    assert took < 60
    jobs = requests.get(f"{backend.url}/metrics", timeout=30).text
    assert 'dynamite_jobs{queue="ingest",state="waiting"} 0.0' in jobs
    assert 'dynamite_jobs{queue="ingest",state="failed"} 0.0' in jobs
