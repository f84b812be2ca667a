"""An export as YOLO polygons: ``labels/NAME.txt`` and ``data.yaml``.

Each object is a line: the number of its label, from 0, and one polygon, whose x and y are parts of
the picture's width and height.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from training.export.coco import HOLES
from training.export.outlines import trace
from training.export.pictures import Picture

PARTS = "objects whose parts are joined to one polygon by lines"


class Yolo:
    """Writes a file of lines for each picture."""

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self.notes: Counter[str] = Counter()
        self._folder = folder
        self._numbers = {label: number for number, label in enumerate(labels)}
        (folder / "labels").mkdir()

    def add(self, picture: Picture, file: str) -> None:  # noqa: ARG002 - lines have its name
        """Write the lines of a picture."""
        sides = picture.image.width, picture.image.height
        lines = []
        for region in picture.image.regions:
            outlines = trace(picture.mask(region))
            self.notes[HOLES] += outlines.holes
            self.notes[PARTS] += len(outlines.polygons) > 1
            points = [f"{value:.7f}" for value in (outlines.joined() / sides).reshape(-1)]
            lines.append(" ".join([str(self._numbers[region.label]), *points]) + "\n")
        path = self._folder / "labels" / f"{picture.name}.txt"
        path.write_text("".join(lines), encoding="ascii")

    def finish(self) -> None:
        """Write ``data.yaml``. All pictures are named as training and as validation data."""
        names = {number: label for label, number in self._numbers.items()}
        content = {"train": "images", "val": "images", "names": names}
        with (self._folder / "data.yaml").open("w", encoding="utf-8") as file:
            yaml.safe_dump(content, file, allow_unicode=True, sort_keys=False)
