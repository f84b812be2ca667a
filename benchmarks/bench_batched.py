"""Benchmarks clicks that arrive together: one batched pass of ``lite``, or one after the other."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

import backend
import dynamite
from benchmarks.bench_lite import scattered
from benchmarks.table import Row
from benchmarks.timing import medians

SIZE = (480, 640)
"""Height and width of the photos: only images of one padded size can form a batch."""

TOGETHER = (1, 2, 4, 8)
"""So many people click at once, each on an image of their own."""

OBJECTS = (1, 5)
"""Objects on each image."""


def run() -> list[Row]:
    predictor = dynamite.Predictor(dynamite.load("lite"))
    features = predictor.encode(photos(max(TOGETHER)))
    rows = []
    for objects in OBJECTS:
        clicks = [scattered(objects, SIZE) for _ in features]
        rows += [compare(predictor, features[:count], clicks[:count]) for count in TOGETHER]
    return rows


def compare(
    predictor: dynamite.Predictor,
    features: list[dynamite.ImageFeatures],
    clicks: list[dynamite.ClickSet],
) -> Row:
    """Measure both ways in turn, by the processor's time; above 1 the batch costs less.

    Apart, the first person has an answer after the first pass; batched, all wait for all.
    """
    pairs = list(zip(features, clicks, strict=True))
    taken = medians(
        {
            "apart": lambda: [predictor.segment(one, own) for one, own in pairs],
            "batched": lambda: predictor.segment(features, clicks),
        },
        repeats=15,
        clock=time.process_time,  # a busy machine counts less
    )
    apart, batched, objects = taken["apart"], taken["batched"], len(clicks[0].objects)
    return Row(
        f"{len(features)} clicks together, {objects} objects each: apart / batched",
        apart / batched,
        "×",
        note=f"apart {apart * 1000:.0f} ms of CPU, batched {batched * 1000:.0f} ms",
    )


def photos(count: int) -> list[np.ndarray]:
    """Return so many photos: those of the demo, again and again."""
    folder = Path(backend.__file__).parent / "demo_images"
    found = []
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as file:
            found.append(np.asarray(file.convert("RGB").resize(SIZE[::-1])))
    return (found * count)[:count]
