"""An export as PNG maps, as Cityscapes and Pascal VOC have them.

``instances/`` numbers the objects of each picture and ``labels/`` their labels, both from 1; 0 is
the background. ``values.json`` says what the numbers mean.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.export.pictures import Picture

COVERED = "pixels that lie in several masks; the smallest has them"

_BYTE = 2**8


class Png:
    """Writes two maps for each picture: 16 bits; labels take 8 where that is enough."""

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self.notes: Counter[str] = Counter()
        self._folder = folder
        self._values = {label: number for number, label in enumerate(labels, start=1)}
        self._depth = np.uint8 if len(labels) < _BYTE else np.uint16
        self._instances: dict[str, list[dict[str, Any]]] = {}
        for name in ("instances", "labels"):
            (folder / name).mkdir()

    def add(self, picture: Picture, file: str) -> None:  # noqa: ARG002 - maps have its name
        """Write the maps of a picture: small objects lie on large ones."""
        regions = picture.image.regions
        instances = np.zeros((picture.image.height, picture.image.width), np.uint16)
        labels = np.zeros(instances.shape, self._depth)
        for index in sorted(range(len(regions)), key=lambda i: -regions[i].area):
            mask = picture.mask(regions[index])
            self.notes[COVERED] += int(np.count_nonzero(instances[mask]))
            instances[mask], labels[mask] = index + 1, self._values[regions[index].label]
        self._write("instances", picture.name, instances)
        self._write("labels", picture.name, labels)
        self._instances[picture.name] = [
            {"value": value, "label": region.label} for value, region in enumerate(regions, start=1)
        ]

    def finish(self) -> None:
        """Write what the values mean."""
        named = {str(value): label for label, value in self._values.items()}
        content = {"labels": named, "instances": self._instances}
        with (self._folder / "values.json").open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)

    def _write(self, part: str, name: str, values: npt.NDArray[Any]) -> None:
        coded = cv2.imencode(".png", values)[1]
        (self._folder / part / f"{name}.png").write_bytes(coded.tobytes())
