"""Benchmarks the Brush RLE codec against that of label-studio-sdk, in one run."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.table import Row, render
from dynamite import brush_rle
from tests.label_studio_sdk import Sdk

SIZES = ((1024, 1024, 3), (3000, 4000, 5))
"""Height, width, and how many times faster than the SDK we promise to be."""


def run() -> list[Row]:
    rows = []
    with Sdk() as sdk:
        for height, width, promise in SIZES:
            for name, mask in _masks(height, width).items():
                alpha = mask * np.uint8(255)
                rle = brush_rle.encode(mask)
                assert rle == sdk.mask2rle(alpha)
                assert np.array_equal(brush_rle.decode(rle, mask.shape), alpha)
                pairs = {
                    "encode": (partial(brush_rle.encode, mask), partial(sdk.mask2rle, alpha)),
                    "decode": (
                        partial(brush_rle.decode, rle, mask.shape),
                        partial(sdk.decode_rle, rle),
                    ),
                }
                for verb, (ours, theirs) in pairs.items():
                    our_ms, their_ms = _together(ours, theirs, sdk)
                    rows.append(
                        Row(
                            f"brush RLE {verb} {width}×{height} {name}",
                            their_ms / our_ms,
                            "× SDK",
                            f"≥ {promise}",
                            f"{our_ms:.2f} ms, SDK {their_ms:.1f} ms, {len(rle)} bytes",
                        )
                    )
    return rows


def _masks(height: int, width: int) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    disk = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (0.4 * height) ** 2
    return {"plain": disk, "speckled": disk ^ (rng.random(disk.shape) < 0.02)}


def _together(
    ours: Callable[[], object], theirs: Callable[[], object], sdk: Sdk, rounds: int = 5
) -> tuple[float, float]:
    """Return the median milliseconds of both; they take turns, so a busy machine slows both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        start = time.perf_counter()
        ours()
        times[0].append(time.perf_counter() - start)
        theirs()
        times[1].append(sdk.seconds)
    return statistics.median(times[0]) * 1e3, statistics.median(times[1]) * 1e3


if __name__ == "__main__":
    print(render(run()))
