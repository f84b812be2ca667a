"""Benchmarks what Label Studio waits for besides clicks: /health, /setup and webhooks."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import requests

from benchmarks.server import (
    CONFIG,
    Busy,
    Server,
    add_photo,
    click_body,
    click_on,
    crowd,
    open_photos,
)
from benchmarks.table import Row

REPEATS = 200
"""Calls of each kind."""

PAUSE = 0.01
"""Seconds between calls."""

PEOPLE = 100
"""Annotators of the crowd: more than the server has threads."""


def run() -> list[Row]:
    with Server() as server:
        address = add_photo(server.photos, 1)
        for number in range(3):
            requests.post(f"{server.url}/predict", json=click_body(address, 1, number), timeout=60)
        rows = [*answers(server, "idle")]
        clickers = [(click_on, server.url, address, task) for task in (2, 3)]
        with Busy(*clickers, (open_photos, server.url, server.photos)):
            time.sleep(3)
            rows += answers(server, "under load")
        with Busy((crowd, server.url, server.photos, PEOPLE)):
            time.sleep(4)
            rows += answers(server, "crowded")
        return rows


def answers(server: Server, state: str) -> Iterator[Row]:
    """Measure the three routes, one call after the other."""
    setup = {"project": "1.1", "schema": CONFIG, "hostname": "", "access_token": ""}
    event = {"action": "ANNOTATION_UPDATED", "annotation": {"id": 1, "result": []}}
    event |= {"task": {"id": 1, "data": {}}, "project": {"id": 1}}
    with requests.Session() as http:
        calls: dict[str, Callable[[], requests.Response]] = {
            "/health": lambda: http.get(f"{server.url}/health", timeout=10),
            "/setup": lambda: http.post(f"{server.url}/setup", json=setup, timeout=10),
            "/webhook": lambda: http.post(f"{server.url}/webhook", json=event, timeout=10),
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(REPEATS):
            for name, call in calls.items():
                start = time.perf_counter()
                call().raise_for_status()
                taken[name].append((time.perf_counter() - start) * 1000)
                time.sleep(PAUSE)
    for name, milliseconds in taken.items():
        median, most = np.percentile(milliseconds, (50, 99))
        yield Row(
            f"{name}, {state}, slowest of {REPEATS}",
            max(milliseconds),
            "ms",
            "≤ 50",
            f"median {median:.1f} ms, 99 % within {most:.1f} ms",
        )
