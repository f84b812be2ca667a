"""Benchmarks a click of CVAT, which brings the whole frame along, against one of Label Studio."""

import base64
import io
import json
import time
from collections.abc import Callable
from hashlib import sha256
from unittest.mock import patch

import numpy as np
from PIL import Image

from backend.cvat import interactor
from benchmarks.bench_click import CAT, REPEATS, SIZE, cats
from benchmarks.bench_lite import photo
from benchmarks.desk import Desk, keypoint
from benchmarks.table import Row
from benchmarks.timing import medians

LARGE = (3000, 4000)
"""Height and width of a frame of 12 megapixels."""

OLD, MIDDLE, NEW = "CVAT/2.39.0", "CVAT/2.60.0", "CVAT/2.75.0"


def run() -> list[Row]:
    with Desk(cvat=True) as desk:
        return [*small(desk), *large(desk)]


def small(desk: Desk) -> list[Row]:
    """Measure a warmed click on the same photo in both tools, and what only CVAT's needs."""
    file = jpeg(cats())
    address = desk.add_file("cats.jpg", file)
    desk.warm(address)
    point = [keypoint(0, *CAT, *SIZE)]
    bodies = [desk.body(address, point) for _ in range(REPEATS + 1)]
    call = body(file, CAT)
    taken = medians(
        {
            "label studio": lambda: desk.send(bodies.pop()),
            "cvat": lambda: desk.invoke(call, NEW),
            "crop": lambda: desk.invoke(call, OLD),
            "reading": lambda: read(call),
        },
        repeats=REPEATS,
    )
    limit = 1.3 * taken["label studio"] + taken["reading"]
    return [
        Row("640×480: warmed click of Label Studio", taken["label studio"] * 1000, "ms"),
        Row("… of CVAT, shapes (2.70)", taken["cvat"] * 1000, "ms"),
        Row("… of CVAT, crop (2.39)", taken["crop"] * 1000, "ms"),
        Row("decoding and hashing the frame's bytes", taken["reading"] * 1000, "ms"),
        Row(
            "shapes / (1.3 × Label Studio's + decoding, hashing)", taken["cvat"] / limit, "×", "≤ 1"
        ),
        Row("crop / (1.3 × Label Studio's + decoding, hashing)", taken["crop"] / limit, "×", "≤ 1"),
    ]


def large(desk: Desk) -> list[Row]:
    """Measure clicks on a frame of 12 megapixels, and count how often it is decoded."""
    grain = np.random.default_rng(3).integers(0, 40, (*LARGE, 3), dtype=np.uint8)
    file = jpeg(photo(*LARGE) // 2 + grain)  # as many bytes as a camera's
    place = (LARGE[1] * 0.4, LARGE[0] * 0.4)
    address = desk.add_file("large.jpg", file)
    point = [keypoint(0, *place, *LARGE)]
    call, decodes = body(file, place), 0
    decode = interactor.decode

    def counted(*arguments: object, **options: object) -> np.ndarray:
        nonlocal decodes
        decodes += 1
        return decode(*arguments, **options)

    with patch.object(interactor, "decode", counted):
        first = seconds(lambda: desk.invoke(call, NEW))
        bodies = [desk.body(address, point) for _ in range(REPEATS + 1)]
        taken = medians(
            {
                "label studio": lambda: desk.send(bodies.pop()),
                "cvat": lambda: desk.invoke(call, NEW),
                "reading": lambda: read(call),
                "full": lambda: desk.invoke(call, MIDDLE),
            },
            repeats=REPEATS,
        )
    limit = 1.3 * taken["label studio"] + taken["reading"]
    sizes = {agent: len(desk.invoke(call, agent)) for agent in (OLD, MIDDLE, NEW)}
    return [
        Row("4000×3000: first click of CVAT", first * 1000, "ms"),
        Row("… warmed click of CVAT, shapes", taken["cvat"] * 1000, "ms"),
        Row("… warmed click of Label Studio", taken["label studio"] * 1000, "ms"),
        Row("… decoding and hashing the frame's bytes", taken["reading"] * 1000, "ms"),
        Row(
            "shapes / (1.3 × Label Studio's + decoding, hashing)", taken["cvat"] / limit, "×", "≤ 1"
        ),
        Row("… warmed click of CVAT, whole mask", taken["full"] * 1000, "ms"),
        Row("decodes of the frame in all these clicks", decodes, "", "≤ 1"),
        Row("size of the request", len(call) / 1e6, "MB"),
        Row("size of the answer: crop", sizes[OLD] / 1e3, "kB"),
        Row("… whole mask", sizes[MIDDLE] / 1e3, "kB"),
        Row("… shapes", sizes[NEW] / 1e3, "kB", "≤ 100"),
    ]


def jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def body(file: bytes, place: tuple[float, float]) -> bytes:
    """Return what CVAT sends for a click at x, y."""
    image = base64.b64encode(file).decode()
    call = {"image": image, "pos_points": [place], "neg_points": [], "obj_bbox": []}
    return json.dumps(call).encode()


def read(call: bytes) -> str:
    """Take the frame out of a call and name it: what only CVAT's calls need."""
    return sha256(base64.b64decode(json.loads(call)["image"])).hexdigest()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
