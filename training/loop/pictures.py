"""Draws a batch for people: its clicks, predictions and targets."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import ClickSet
from dynamite.drawing import Pixels, color, mark_clicks, tint
from training.loop.batches import Batch
from training.loop.iteration import Outcome
from training.losses.object_maps import IGNORED

_SHOWN = 4
"""Maximum number of images in a picture."""

_DOT, _GREY = 4, 128
"""Radius of a click in pixels, and grey value of ignored pixels."""


def draw_batch(batch: Batch, outcome: Outcome, path: Path) -> None:
    """Write a PNG with one row per image: clicks, prediction, target."""
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


def _with_clicks(image: Pixels, clicks: ClickSet) -> Pixels:
    drawn = image.copy()
    mark_clicks(drawn, clicks, radius=_DOT)
    return drawn


def _overlaid(image: Pixels, labels: NDArray[np.integer]) -> Pixels:
    drawn = image.copy()
    for index in range(int(labels.max(initial=-1)) + 1):
        tint(drawn, labels == index, color(index))
    drawn[labels == IGNORED] = _GREY
    return drawn
