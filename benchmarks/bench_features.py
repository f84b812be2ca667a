"""Benchmarks features that another backend has put on disk: loading them against encoding again."""

from pathlib import Path
from tempfile import TemporaryDirectory

import dynamite
from backend.features.disk import DiskTier
from backend.features.key import Key
from benchmarks.bench_lite import photo
from benchmarks.table import Row
from benchmarks.timing import medians
from dynamite import ImageFeatures


def run() -> list[Row]:
    predictor = dynamite.Predictor(dynamite.load("lite"))
    image, key = photo(480, 640), Key("photo", predictor.model.version)
    features = predictor.encode(image)
    with TemporaryDirectory() as folder:
        tier = DiskTier(Path(folder), 10**9, ImageFeatures.from_bytes)
        tier.put(key, features)
        (file,) = Path(folder).iterdir()
        size = file.stat().st_size
        taken = medians(
            {
                "encode": lambda: predictor.encode(image),
                "load": lambda: tier.get(key),
                "write": lambda: features.to_bytes(half=True),
            },
            repeats=15,
        )
        tier.close()
    return [
        Row("encode / load", taken["encode"] / taken["load"], "×", "≥ 2"),
        Row("load", taken["load"] * 1000, "ms"),
        Row("rounding to half precision, in the background", taken["write"] * 1000, "ms"),
        Row("file", size / 1e6, "MB", note=f"in memory {features.nbytes / 1e6:.1f} MB"),
    ]
