"""A batch as a person would look at it: clicks, what was predicted, what it should be."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Click, ClickSet
from training.loop.batches import Batch
from training.loop.iteration import Outcome
from training.losses import IGNORED

_SHOWN = 4
_OPACITY = 0.5
_WHITE, _RED, _GREY = (255, 255, 255), (230, 40, 40), 128
Image = NDArray[np.uint8]


def draw_batch(batch: Batch, outcome: Outcome, path: Path) -> None:
    """Write a PNG: a row for each of the first images; clicks, prediction, target."""
    height, width = batch.labels.shape[1:]
    predictions = outcome.label_maps((height, width))
    rows = []
    for index in range(min(_SHOWN, len(batch.numbers))):
        image = np.ascontiguousarray(batch.images[index].permute(1, 2, 0).cpu().numpy())
        target = batch.labels[index].cpu().numpy()
        predicted = predictions[index].cpu().numpy()
        rows.append(
            np.hstack(
                (
                    _with_clicks(image, outcome.clicks[index]),
                    _overlaid(image, predicted),
                    _overlaid(image, target),
                )
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def _with_clicks(image: Image, clicks: ClickSet) -> Image:
    drawn = image.copy()
    for index, own in enumerate(clicks.objects):
        _dots(drawn, own, _color(index), _WHITE)
    _dots(drawn, clicks.background, _RED, (0, 0, 0))
    return drawn


def _dots(
    image: Image, clicks: Iterable[Click], fill: tuple[int, ...], edge: tuple[int, ...]
) -> None:
    for click in clicks:
        place = (round(click.x), round(click.y))
        cv2.circle(image, place, 5, edge, -1, cv2.LINE_AA)
        cv2.circle(image, place, 3, fill, -1, cv2.LINE_AA)


def _overlaid(image: Image, labels: NDArray[np.integer]) -> Image:
    drawn = image.astype(np.float32)
    for index in range(int(labels.max(initial=-1)) + 1):
        mask = labels == index
        drawn[mask] += _OPACITY * (np.array(_color(index), np.float32) - drawn[mask])
    drawn[labels == IGNORED] = _GREY
    return drawn.astype(np.uint8)


def _color(index: int) -> tuple[int, int, int]:
    """Neighbouring indices get far hues, by the golden ratio."""
    hue = np.uint8((index * 0.618034 % 1) * 179)
    red, green, blue = cv2.cvtColor(np.array([[[hue, 200, 255]]], np.uint8), cv2.COLOR_HSV2RGB)[
        0, 0
    ]
    return int(red), int(green), int(blue)
