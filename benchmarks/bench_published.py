"""The network of the paper as a whole: Swin-T at 1024², a click with 1, 10, 30 objects."""

import numpy as np

import dynamite
from benchmarks.table import Row
from benchmarks.timing import medians, resident_mb
from dynamite import Click, ClickSet

SIDE = 1024


def run() -> list[Row]:
    predictor = dynamite.Predictor(dynamite.load("swin_tiny", random_weights=True))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    features = predictor.encode(image)
    clicks = {count: scattered(count, rng) for count in (1, 10, 30)}
    taken = medians(
        {"encode": lambda: predictor.encode(image)}
        | {
            str(n): lambda said=said: predictor.segment(features, said)
            for n, said in clicks.items()
        },
        repeats=5,
    )
    return [
        Row("Swin-T, encode", taken["encode"], "s"),
        Row("Swin-T, click, 1 object", taken["1"], "s"),
        Row("Swin-T, click, 10 objects", taken["10"], "s"),
        Row("Swin-T, click, 30 objects / 1 object", taken["30"] / taken["1"], "×", "≤ 2"),
        Row("Swin-T, encode / click of 10 objects", taken["encode"] / taken["10"], "×"),
        Row("Swin-T, memory of the process", resident_mb(), "MB"),
    ]


def scattered(objects: int, rng: np.random.Generator) -> ClickSet:
    """One click each on so many objects, and one on the background."""
    places = (rng.random((objects, 2)) * SIDE).tolist()
    return ClickSet([[Click(x, y, time)] for time, (x, y) in enumerate(places)], [Click(3, 3, 99)])
