"""Benchmarks ``lite`` on a 640×480 photo, with the settings that ship."""

import numpy as np

import dynamite
from benchmarks.table import Row
from benchmarks.timing import medians, resident_mb
from dynamite import Click, ClickSet


def run() -> list[Row]:
    predictor = dynamite.Predictor(dynamite.load("lite"))
    image = photo(480, 640)
    features = predictor.encode(image)
    taken = costs(predictor, image, repeats=9)
    small = corrections(predictor, repeats=9)
    return [
        Row("lite, encode", taken["encode"] * 1000, "ms", "≤ 200"),
        Row("lite, click, 1 object", taken["1"] * 1000, "ms", "≤ 60"),
        Row("lite, click, 10 objects", taken["10"] * 1000, "ms", "≤ 100"),
        Row("lite, click, 30 objects / 1 object", taken["30"] / taken["1"], "×", "≤ 2"),
        Row("lite, encode / click of 10 objects", taken["encode"] / taken["10"], "×"),
        Row("lite, click that corrects a small object", small["known"] * 1000, "ms", "≤ 60"),
        Row("lite, the same, its crop encoded", small["new"] * 1000, "ms", "≤ 60"),
        Row("lite, features of an image", features.nbytes / 1e6, "MB"),
        Row("lite, memory of the process", resident_mb(), "MB", "≤ 1000"),
    ]


def costs(predictor: dynamite.Predictor, image: np.ndarray, *, repeats: int) -> dict[str, float]:
    """Return the median seconds of an encode and of a click on 1, 10 and 30 objects."""
    features = predictor.encode(image)
    clicks = {count: scattered(count, image.shape[:2]) for count in (1, 10, 30)}
    return medians(
        {"encode": lambda: predictor.encode(image)}
        | {str(n): lambda one=one: predictor.segment(features, one) for n, one in clicks.items()},
        repeats=repeats,
    )


def corrections(predictor: dynamite.Predictor, *, repeats: int) -> dict[str, float]:
    """Return the median seconds of a second click on a disc of 14 pixels, drawn from a crop.

    Its crop's features are ``known`` from an earlier click, or the crop is ``new``.
    """
    image = np.full((480, 640, 3), 90, np.uint8)
    y, x = np.mgrid[:480, :640]
    image[np.hypot(y - 200, x - 300) < 7] = (230, 60, 40)
    features = predictor.encode(image)
    clicks = ClickSet([[Click(300, 200, 0), Click(303, 200, 1)]])
    assert predictor.segment(features, clicks).masks.sum() < 400, "it is not small"
    return medians(
        {
            "known": lambda: predictor.segment(features, clicks),
            "new": lambda: dynamite.Predictor(predictor.model).segment(features, clicks),
        },
        repeats=repeats,
    )


def photo(height: int, width: int) -> np.ndarray:
    """Return an image of coloured squares: the cost of an encode does not depend on the content."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    return coarse.repeat(40, axis=0).repeat(40, axis=1)


def scattered(objects: int, size: tuple[int, ...] = (480, 640)) -> ClickSet:
    """Return one click on each object, at random, and one on the background."""
    rng = np.random.default_rng(1)
    places = rng.random((objects, 2)) * size[::-1]
    clicks = [[Click(x, y, time)] for time, (x, y) in enumerate(places.tolist())]
    return ClickSet(clicks, [Click(3, 3, objects)])
