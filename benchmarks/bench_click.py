"""Benchmarks a click as the annotation tool sees it: HTTP in, JSON out."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import backend
from benchmarks.bench_lite import photo
from benchmarks.desk import Desk, Region, accepted, keypoint
from benchmarks.table import Row
from benchmarks.timing import medians
from dynamite import Click, ClickSet

SIZE = (480, 640)
"""Height and width of the photos, in pixels."""

CAT = (192, 240)
"""A pixel (x, y) of the left cat."""

IMAGES, CLICKS = 20, 20
"""Images of a session, and clicks per image."""

REPEATS = 15
"""Measurements of each kind of click."""


def run() -> list[Row]:
    with Desk() as desk:
        return [*one_click(desk), *many_objects(desk), *session(desk), *large(desk)]


def one_click(desk: Desk) -> list[Row]:
    """Measure a warmed click, the model alone, and encoding with every click."""
    address = desk.add("cats.jpg", cats())
    desk.warm(address)
    engine = desk.parts.engine
    features = engine.features(
        desk.parts.label_studio.connection.images.open(address, "0").digest, _no_encode
    )
    clicks = ClickSet([[Click(*CAT)]])
    point = [keypoint(0, *CAT, *SIZE)]

    # Photos the backend has not seen yet: it decodes, encodes and clicks.
    new = [
        desk.body(desk.add(f"new-cats{number}.jpg", cats() ^ number), point)
        for number in range(REPEATS + 1)
    ]
    taken = medians(
        {
            "model": lambda: engine.segment(features, clicks),
            "click": calls(desk, address, point),
            "encoding": lambda: desk.send(new.pop()),
        },
        repeats=REPEATS,
    )
    with busy_core():
        taken |= medians({"beside": calls(desk, address, point)}, repeats=REPEATS)
    limit = 2 * taken["model"] + 0.015
    return [
        Row("the model's own click", taken["model"] * 1000, "ms"),
        Row("warmed click, HTTP in to JSON out", taken["click"] * 1000, "ms"),
        Row("… / (2 × the model's + 15 ms)", taken["click"] / limit, "×", "≤ 1"),
        Row("decode, encode, click / warmed click", taken["encoding"] / taken["click"], "×", "≥ 5"),
        Row(
            "warmed click with one core busy / idle",
            taken["beside"] / taken["click"],
            "×",
            "≤ 5",
            f"{os.cpu_count()} cores",
        ),
    ]


def cats() -> np.ndarray:
    """Return a photo of the demo: the cost of a click depends on what it finds."""
    with Image.open(Path(backend.__file__).parent / "demo_images" / "two-cats.jpg") as file:
        return np.asarray(file.convert("RGB").resize(SIZE[::-1]))


def calls(desk: Desk, *call: Any) -> Callable[[], bytes]:
    """Return a function that sends the call from a new page each time; bodies are made before."""
    bodies = [desk.body(*call) for _ in range(REPEATS + 1)]
    return lambda: desk.send(bodies.pop())


@contextmanager
def busy_core() -> Iterator[None]:
    """Run another process that never pauses, as a training does."""
    busy = "import time; end = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    other = subprocess.Popen([sys.executable, "-c", busy])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def _no_encode() -> np.ndarray:
    raise AssertionError("the photo was warmed")


def many_objects(desk: Desk) -> list[Row]:
    """Measure 100 objects in a task, 20 of them pending, against 10."""
    address = desk.add("many.jpg", photo(*SIZE))
    desk.warm(address)
    ten, hundred = draft(pending=2, kept=8), draft(pending=20, kept=80)
    point = [keypoint(0, 20, 20, *SIZE)]
    answered = len(desk.click(address, point, hundred))
    taken = medians(
        {
            "10": calls(desk, address, point, ten),
            "100": calls(desk, address, point, hundred),
        },
        repeats=REPEATS,
    )
    return [
        Row("10 objects, 2 of them pending", taken["10"] * 1000, "ms"),
        Row(
            "100 objects, 20 of them pending",
            taken["100"] * 1000,
            "ms",
            note=f"{answered} masks in the answer",
        ),
        Row("100 objects / 10 objects", taken["100"] / taken["10"], "×", "≤ 3"),
    ]


def draft(*, pending: int, kept: int) -> list[Region]:
    """Return the regions of a draft with pending and accepted objects on a grid."""
    height, width = SIZE
    places = [(20 + 60 * (i % 10), 20 + 44 * (i // 10)) for i in range(pending + kept)]
    points = [keypoint(i, *places[i], height, width) for i in range(pending)]
    masks = [accepted(i % pending, i, *places[pending + i], height, width) for i in range(kept)]
    return points + masks


def session(desk: Desk) -> list[Row]:
    """Make 400 clicks on 20 images that were opened before."""
    rng = np.random.default_rng(2)
    addresses = []
    for number in range(IMAGES):
        noisy = photo(*SIZE) // 2 + rng.integers(0, 100, (*SIZE, 3), dtype=np.uint8)
        addresses.append(desk.add(f"session{number}.jpg", noisy))
        desk.warm(addresses[-1])
    cache = desk.parts.cache
    assert cache is not None
    before = cache.misses
    slowest = 0.0
    for address in addresses:
        task, context = desk.new_task(), []
        for _ in range(CLICKS):
            x, y = rng.random(2) * (639, 479)
            context.append(keypoint(0, x, y, *SIZE))
            start = time.perf_counter()
            desk.click(address, context, task=task)
            slowest = max(slowest, time.perf_counter() - start)
    return [
        Row("400 clicks over 20 opened images: encodes", cache.misses - before, "", "≤ 0"),
        Row("… the slowest of them", slowest * 1000, "ms"),
    ]


def large(desk: Desk) -> list[Row]:
    """Measure a click on a photo of 12 megapixels with 10 pending objects."""
    height, width = 3000, 4000
    address = desk.add("large.jpg", photo(height, width))
    desk.warm(address)
    points = [keypoint(i, 200 + 390 * i, 300 + 260 * i, height, width) for i in range(10)]
    taken = medians({"large": lambda: desk.click(address, points[:1], points)}, repeats=5)
    return [Row("4000×3000, 10 objects, warmed click", taken["large"] * 1000, "ms", "≤ 1000")]
