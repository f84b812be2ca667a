"""``dynamite serve`` in a process of its own, with a network that knows nothing."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import requests
from prometheus_client.parser import text_string_to_metric_families

from dynamite import brush_rle
from tests.ports import free_port
from tests.training.retraining.drawn import CONFIG, LABELS, SIDE, a_task, drawn, tiny_weights

UNSEEN = range(1000, 1012)


def wait(until, seconds, what, every=0.2):
    """What ``until`` gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = until()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what}")


SECRET = "a-long-secret-word"
"""Proves events, since there is no Label Studio to confirm them."""


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
            "train_batch": 4,
            "train_crop": SIDE,
            "train_rate": 3e-3,
            "holdout_share": 0.4,
            "judge_most": 12,
            "judge_budget": 5,
            "reconcile_minutes": 0,
            "webhook_secret": SECRET,
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
        try:
            wait(self.version, 240, "the web server")
        except AssertionError as error:
            self.close()
            raise AssertionError((folder / "serve.log").read_text()[-2000:]) from error

    def version(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5).json()["model_version"]
        except (requests.RequestException, ValueError):
            return None

    def versions(self):
        return requests.get(f"{self.url}/versions", timeout=30).json()

    def trained(self):
        """The last training, once it has ended."""
        state = self.versions()["training"]
        return state if state and state["status"] in ("finished", "failed") else None

    def metric(self, name, **labels):
        """One sample of /metrics, None if there is none of that name and labels."""
        text = requests.get(f"{self.url}/metrics", timeout=30).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def webhook(self, body):
        answer = requests.post(f"{self.url}/k/{SECRET}/webhook", json=body, timeout=30)
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

    def processes(self, words):
        """Those that this backend runs, by words of their command."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command = (path / "cmdline").read_bytes().decode(errors="replace")
                variables = (path / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            # A server that changes its title writes over its environment.
            if words in command and str(self.folder / "state") in command + variables:
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
