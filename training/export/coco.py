"""An export as COCO: ``annotations.json``, masks as compressed RLE or as polygons."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from training.export.outlines import Mask, trace
from training.export.pictures import Picture

HOLES = "holes that are joined to their outlines by slits"


class Coco:
    """Keeps all objects in memory until the end. Categories are numbered from 1."""

    def __init__(self, folder: Path, labels: Sequence[str], *, polygons: bool = False) -> None:
        self.notes: Counter[str] = Counter()
        self._folder, self._polygons = folder, polygons
        self._categories = {label: number for number, label in enumerate(labels, start=1)}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, picture: Picture, file: str) -> None:
        """Take in a picture."""
        image, accepted = picture.image, picture.annotation
        number = len(self._images) + 1
        self._images.append(
            {
                "id": number,
                "file_name": f"images/{file}",
                "height": image.height,
                "width": image.width,
                "exhaustive": picture.complete,  # else unlabelled pixels need not be background
                "source": accepted.source,
                "project": accepted.project,
                "task": accepted.task,
                "annotation": accepted.annotation_id,
                "annotator": accepted.annotator,
            }
        )
        for region in image.regions:
            rle = image.segmentation(region)
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": self._categories[region.label],
                    "segmentation": self._traced(picture.mask(region)) if self._polygons else rle,
                    "area": region.area,
                    "bbox": coco_mask.toBbox(rle).tolist(),
                    "iscrowd": 0,
                }
            )

    def finish(self) -> None:
        """Write the json."""
        content = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": n, "name": label} for label, n in self._categories.items()],
        }
        with (self._folder / "annotations.json").open("w", encoding="utf-8") as file:
            json.dump(content, file)

    def _traced(self, mask: Mask) -> list[list[float]]:
        outlines = trace(mask)
        self.notes[HOLES] += outlines.holes
        return [polygon.reshape(-1).tolist() for polygon in outlines.polygons]
