"""Benchmarks clicks of several annotators who take turns on more images than the cache holds."""

import threading
import time
from dataclasses import dataclass, field

import numpy as np
import requests

from benchmarks.server import Server, add_photo, click_body
from benchmarks.table import Row, render

PEOPLE, IMAGES, CLICKS, SECONDS = 6, 30, 6, 60.0
PAUSE = 0.5
"""How long a person looks at an answer."""
SMALL = {"cache_device_mb": 0, "cache_memory_mb": 200, "cache_disk_mb": 0}
"""Room for the features of eight images."""


@dataclass
class Waits:
    """Seconds that people waited, by whether the image was new to them."""

    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)


def run() -> list[Row]:
    with Server(**SMALL) as server:
        waits = annotate(server.url, [add_photo(server.photos, n) for n in range(IMAGES)])
    return [
        Row(
            f"{name}, {PEOPLE} people on {IMAGES} images",
            float(np.quantile(values, 0.99)) * 1000,
            "ms p99",
            "",
            f"p50 {np.quantile(values, 0.5) * 1000:.0f} ms, "
            f"p90 {np.quantile(values, 0.9) * 1000:.0f} ms, {len(values)} clicks",
        )
        for name, values in (
            ("first click on an image", waits.first),
            ("further clicks", waits.later),
        )
    ]


def annotate(url: str, photos: list[str]) -> Waits:
    """Let people click on images in an order of their own; return how long they waited."""
    waits, until = Waits(), time.monotonic() + SECONDS

    def person(seed: int) -> None:
        rng = np.random.default_rng(seed)
        with requests.Session() as http:
            while time.monotonic() < until:
                number = int(rng.integers(len(photos)))
                task = seed * 100_000 + int(rng.integers(100_000))  # a page of one's own
                for click in range(CLICKS):
                    body = click_body(photos[number], task, click)
                    start = time.perf_counter()
                    http.post(f"{url}/predict", json=body, timeout=600).raise_for_status()
                    taken = time.perf_counter() - start
                    (waits.later if click else waits.first).append(taken)
                    time.sleep(PAUSE)

    people = [threading.Thread(target=person, args=(seed,)) for seed in range(PEOPLE)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return waits


if __name__ == "__main__":
    print(render(run()))
