"""Benchmarks the paper's whole network, Swin-T at 1024²: encode and clicks."""

import numpy as np

import dynamite
from benchmarks.bench_lite import costs
from benchmarks.table import Row
from benchmarks.timing import resident_mb

SIDE = 1024


def run() -> list[Row]:
    model = dynamite.load("swin_tiny", random_weights=True)
    predictor = dynamite.Predictor(model, resize=None)
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    taken = costs(predictor, image, repeats=5)
    return [
        Row("Swin-T, encode", taken["encode"], "s"),
        Row("Swin-T, click, 1 object", taken["1"], "s"),
        Row("Swin-T, click, 10 objects", taken["10"], "s"),
        Row("Swin-T, click, 30 objects / 1 object", taken["30"] / taken["1"], "×", "≤ 2"),
        Row("Swin-T, encode / click of 10 objects", taken["encode"] / taken["10"], "×"),
        Row("Swin-T, memory of the process", resident_mb(), "MB"),
    ]
