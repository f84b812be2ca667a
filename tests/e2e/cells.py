"""Pictures of cells, drawn here, so that it is known where each one lies."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dynamite import brush_rle

WIDTH, HEIGHT = 640, 480
PLACES = [
    (12 + 19 * column + 3 * (row % 2), 14 + 24 * row) for row in range(4) for column in range(5)
]
"""Percent of the image: where cells lie."""

GROUND = (2.0, 97.0)
"""Percent of the image: where none lies."""


@dataclass(frozen=True)
class Cells:
    """A picture, and the mask of each of its cells."""

    path: Path
    masks: list[npt.NDArray[np.bool_]]

    def result(self, label: str) -> list[dict[str, object]]:
        """The regions of an annotation that holds every cell."""
        return [
            {
                "id": f"cell-{number}",
                "type": "brushlabels",
                "from_name": "mask",
                "to_name": "image",
                "original_width": WIDTH,
                "original_height": HEIGHT,
                "value": {
                    "format": "rle",
                    "rle": brush_rle.encode(mask),
                    "brushlabels": [label],
                },
            }
            for number, mask in enumerate(self.masks)
        ]


def draw(path: Path, seed: int) -> Cells:
    """Draw bright round cells on dark ground, each of its own size, at ``PLACES``."""
    rng = np.random.default_rng(seed)
    canvas = np.full((HEIGHT, WIDTH, 3), (52, 30, 38), np.uint8)
    masks = []
    for x, y in PLACES:
        axes = int(rng.integers(20, 28)), int(rng.integers(18, 26))
        center = int(x / 100 * WIDTH), int(y / 100 * HEIGHT)
        shade = tuple(int(value) for value in rng.integers(170, 215) + np.array([0, 15, 10]))
        ellipse = center, axes, int(rng.integers(180)), 0, 360
        cv2.ellipse(canvas, *ellipse, shade, cv2.FILLED)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(mask, *ellipse, 1, cv2.FILLED)
        masks.append(mask.astype(np.bool_))
    noisy = cv2.GaussianBlur(canvas, (0, 0), 1.5) + rng.normal(0, 5, canvas.shape)
    cv2.imwrite(str(path), np.clip(noisy, 0, 255).astype(np.uint8))
    return Cells(path, masks)
