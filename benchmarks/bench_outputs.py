"""Benchmarks masks as brush, bitmask and polygon: writing them, and clicks answered with them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backend.label_studio.kinds.bitmask import Bitmask
from backend.label_studio.kinds.brush import Brush
from backend.label_studio.kinds.polygon import Polygon
from backend.label_studio.region_writer import TOLERANCE
from backend.session.bitmask import Mask
from benchmarks.bench_click import CAT, SIZE, calls, cats
from benchmarks.desk import Desk, keypoint
from benchmarks.table import Row
from benchmarks.timing import medians
from dynamite import mask_png

LARGE = (3000, 4000)
"""Height and width of 12 megapixels."""

REPEATS = 15


def run() -> list[Row]:
    return [*writing(), *clicking()]


def writing() -> list[Row]:
    """Measure one object of a photo of 12 megapixels in each kind."""
    masks = {"one object": disk(), "speckled": disk() ^ specks()}
    rows = []
    for name, mask in masks.items():
        png = mask_png.encode(mask)
        taken = medians(
            {
                "brush": lambda mask=mask: Brush().form(mask, TOLERANCE),
                "bitmask": lambda mask=mask: Bitmask().form(mask, TOLERANCE),
                "read": lambda png=png: mask_png.decode(png),
            }
        )
        rows += [
            Row(f"12 MP, {name}: as brush", taken["brush"] * 1000, "ms"),
            Row(f"12 MP, {name}: as bitmask", taken["bitmask"] * 1000, "ms", "≤ 60"),
            Row(f"12 MP, {name}: bytes of the PNG", len(png) / 1000, "kB", "≤ 100"),
            Row(f"12 MP, {name}: PNG read", taken["read"] * 1000, "ms"),
        ]
    plain = masks["one object"]
    taken = medians({"polygon": lambda: Polygon().form(plain, TOLERANCE)})
    return [*rows, Row("12 MP, one object: as polygon", taken["polygon"] * 1000, "ms", "≤ 100")]


def clicking() -> list[Row]:
    """Measure a warmed click, answered as each kind, in turns."""
    desks = {output: Desk(output=output) for output in ("brush", "bitmask", "polygon")}
    try:
        work: dict[str, Callable[[], Any]] = {}
        for output, desk in desks.items():
            address = desk.add("cats.jpg", cats())
            desk.warm(address)
            work[output] = calls(desk, address, [keypoint(0, *CAT, *SIZE)])
        taken = medians(work, repeats=REPEATS)
    finally:
        for desk in desks.values():
            desk.__exit__()
    ratios = {output: taken[output] / taken["brush"] for output in ("bitmask", "polygon")}
    return [
        Row("warmed click as brush", taken["brush"] * 1000, "ms"),
        Row("… as bitmask / as brush", ratios["bitmask"], "×", "≤ 1.05"),
        Row("… as polygon / as brush", ratios["polygon"], "×"),
    ]


def disk() -> Mask:
    height, width = LARGE
    y, x = np.ogrid[:height, :width]
    found: Mask = (y - 1500) ** 2 + (x - 2000) ** 2 < 1200**2
    return found


def specks() -> Mask:
    """Return one pixel in a thousand."""
    return np.random.default_rng(0).random(LARGE) < 0.001
