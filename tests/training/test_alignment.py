"""Where things lie in training and evaluation: image, label map and clicks shift nowhere.

As in tests/dynamite/predict/test_alignment.py: in the mean over shapes at all offsets.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d

from dynamite import ClickSet
from training.click_simulation import add_click, initial_clicks
from training.data.crops import CropWindow, crop
from training.data.paste import PasteConfig, paste_objects
from training.data.sample import Sample
from training.evaluation.gestures import GESTURES
from training.losses.object_maps import label_maps

TOLERANCE = 0.1


def disc(size: int, x: float, y: float, radius: float) -> NDArray[np.float64]:
    """How far each pixel is covered by a disc, 0…1."""
    steps = np.arange(size) + 0.5
    return np.clip(radius - np.hypot(steps[:, None] - y, steps - x) + 0.5, 0, 1)


def middle(weights_HW: NDArray[np.generic]) -> NDArray[np.float64]:
    """The center (x, y) of a map of weights."""
    weights = weights_HW.astype(np.float64)
    axes = [np.arange(length) + 0.5 for length in weights.shape]
    return np.array([weights.sum(0) @ axes[1], weights.sum(1) @ axes[0]]) / weights.sum()


def photo(cover: NDArray[np.float64]) -> Sample:
    image = np.repeat((cover * 255).round().astype(np.uint8)[..., None], 3, axis=2)
    labels = np.where(cover > 0.5, 0, -1).astype(np.int32)
    return Sample(image, labels, ("disc",), np.zeros(cover.shape, bool), "disc")


@pytest.mark.parametrize("factor", [0.4, 0.73, 1.0, 1.6, 3.0])
@pytest.mark.parametrize("flip", [False, True])
def test_crops_hold_image_and_labels_at_the_same_place(factor: float, flip: bool) -> None:
    rng = np.random.default_rng(0)
    shifts = []
    for _ in range(40):
        x, y = rng.uniform(30, 60, 2)
        sample = photo(disc(90, x, y, 10))
        out = round(80 * factor)
        cut = crop(sample, CropWindow(5, 7, 80, 80, out, out), 256, flip=flip)
        seen = np.where(cut.ignore, 0, cut.image[..., 0].astype(float))
        shifts.append(middle(cut.label_map == 0) - middle(seen))
    assert (np.abs(np.mean(shifts, axis=0)) < TOLERANCE).all()


def test_pasted_objects_have_their_labels_where_they_are() -> None:
    rng = np.random.default_rng(0)
    config = PasteConfig(1.0, max_objects=1, size=(0.1, 0.3), min_source_area=20)
    empty = photo(np.zeros((128, 128)))
    shifts = []
    for _ in range(60):
        donor = photo(disc(64, *rng.uniform(25, 40, 2), 12))
        pasted = paste_objects(empty.keep([]), donor, config, rng, (128, 128))
        labels = pasted.label_map
        if max(labels[[0, -1]].max(), labels[:, [0, -1]].max()) == 0:
            continue  # cut off by the frame, where soft edges are missing on one side
        shifts.append(middle(labels == 0) - middle(pasted.image[..., 0]))
    assert len(shifts) > 20
    assert (np.abs(np.mean(shifts, axis=0)) < TOLERANCE).all()


@pytest.mark.parametrize("stride", [2, 4])
def test_the_label_maps_of_a_training_step_lie_on_their_shapes(stride: int) -> None:
    shifts = []
    for row, column in np.ndindex(8, 8):
        place = np.array([40.0 + column * stride / 8, 44.0 + row * stride / 8])
        cover = torch.from_numpy(disc(96, *place, 9.0))[None].float()
        logits = avg_pool2d(cover, stride) * 2 - 1
        (labels,) = label_maps([torch.cat((logits, 1e-3 - logits))], (96, 96))
        shifts.append(middle(labels.numpy() == 0) - place)
    assert (np.abs(np.mean(shifts, axis=0)) < TOLERANCE).all()


def test_simulated_clicks_fall_on_the_middle_of_pixels() -> None:
    """A square of odd side has a middle; clicks drawn from it lie around there on average."""
    target = np.full((40, 40), -1, np.int32)
    target[10:21, 5:16] = 0
    wanted = np.array([10.5, 15.5])
    none = np.zeros(target.shape, bool)
    rng = np.random.default_rng(0)
    first = GESTURES["center"].first_clicks(target, 1, none, rng)
    assert [(click.x, click.y) for click in first] == [tuple(wanted)]
    assert [(c.x, c.y) for c in add_click(first, target, (0, 3)).background] == [(3.5, 0.5)]

    def mean(clicks: list[ClickSet]) -> NDArray[np.float64]:
        return np.mean([(click.x, click.y) for one in clicks for click in one.objects[0]], axis=0)

    drawn = mean([initial_clicks(target, 1, rng) for _ in range(1500)])
    assert (np.abs(drawn - wanted) < TOLERANCE).all()
