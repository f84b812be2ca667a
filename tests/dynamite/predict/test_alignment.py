"""Where things lie: nothing shifts between image, clicks and mask (docs/network.md, 1).

Single masks are off by up to half a pixel, because pixels are whole. A systematic shift shows in
the mean over shapes at all offsets within a pixel, which must stay below a tenth of a pixel.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dynamite import Click, ClickSet, Predictor
from dynamite.network.config import preset
from dynamite.network.prediction import STRIDE
from dynamite.network.prediction_head import append_coordinates
from dynamite.network.queries import QueryBootstrapper
from dynamite.network.refiner import SPOT_SIGMAS, _click_spots
from dynamite.predict.image_ops import input_size
from tests.dynamite.predict.bright import BrightIsObject, disc

TOLERANCE = 0.1

SIZES = [(480, 640), (96, 128), (401, 305), (333, 500), (1050, 1400)]
"""(H, W) of images that lite's input keeps, enlarges and shrinks, by whole and odd factors."""


def middle(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The center (x, y) of a mask's area."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def offsets(size: tuple[int, int], steps: int) -> Iterator[NDArray[np.float64]]:
    """Positions (x, y) near the middle of an image, evenly spread over a cell of a map."""
    cell = STRIDE * max(size) / max(input_size(*size, preset("lite").resize))
    for row, column in np.ndindex(steps, steps):
        yield np.array(size[::-1]) * 0.45 + np.array([column, row]) * (cell / steps)


@pytest.mark.parametrize("refined", [False, True], ids=["stride 4", "stride 2"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("diameter", [12, 17, 70])
def test_masks_lie_on_their_shapes(size: tuple[int, int], diameter: float, refined: bool) -> None:
    predictor = Predictor(BrightIsObject(refined=refined))
    scale = max(1.0, max(size) / 640)  # image pixels in the larger of a pixel here and in the input
    radius = diameter * scale / 2
    shifts, areas = [], []
    for x, y in offsets(size, 4):
        features = predictor.encode(disc(size, x, y, radius))
        mask = predictor.segment(features, ClickSet([[Click(x, y)]])).masks[0]
        shifts.append((middle(mask) - (x, y)) / scale)
        areas.append(mask.sum() / (np.pi * radius**2))
    assert (np.abs(np.mean(shifts, axis=0)) < TOLERANCE).all()
    assert np.mean(areas) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("size", [size for size in SIZES if max(size) > 400], ids=str)
@pytest.mark.parametrize("diameter", [9, 14, 19])
def test_masks_from_crops_lie_on_their_shapes(size: tuple[int, int], diameter: float) -> None:
    model = BrightIsObject(refined=True)
    scale = max(size) / max(input_size(*size, model.config.resize))  # image pixels per input pixel
    radius = diameter * scale / 2
    shifts, areas = [], []
    for x, y in offsets(size, 4):
        predictor = Predictor(model)  # it knows no crop yet
        features = predictor.encode(disc(size, x, y, radius))
        clicks = ClickSet([[Click(x, y, 0), Click(x + max(scale, 1), y, 1)]])
        before = model.encodes
        mask = predictor.segment(features, clicks).masks[0]
        assert model.encodes == before + 1  # of the crop
        shifts.append((middle(mask) - (x, y)) / scale)
        areas.append(mask.sum() / (np.pi * radius**2))
    assert (np.abs(np.mean(shifts, axis=0)) < TOLERANCE).all()
    assert np.mean(areas) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("refined", [False, True], ids=["stride 4", "stride 2"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_a_click_enforces_lies_around_it(size: tuple[int, int], refined: bool) -> None:
    predictor = Predictor(BrightIsObject(refined=refined, blind=True))
    features = predictor.encode(np.zeros((*size, 3), np.uint8))
    scale = max(1.0, max(size) / 640)
    shifts = []
    for x, y in offsets(size, 8):
        mask = predictor.segment(features, ClickSet([[Click(x, y)]])).masks[0]
        shifts.append((middle(mask) - (x, y)) / scale)
    assert (np.abs(np.mean(shifts, axis=0)) < TOLERANCE).all()


def test_a_query_reads_the_maps_where_its_click_is() -> None:
    """Maps that hold their cells' positions: the descriptor of a click is its position."""
    size = (96, 128)
    levels = []
    for stride in (32, 16, 8):
        height, width = size[0] // stride, size[1] // stride
        y = ((torch.arange(height) + 0.5) * stride)[:, None].expand(height, width)
        x = ((torch.arange(width) + 0.5) * stride).expand(height, width)
        levels.append(torch.stack((y, x))[None])
    clicks = torch.tensor([[[40.5, 60.5], [41.25, 17.0], [70.0, 100.75]]])
    position = clicks / torch.tensor(size)
    assert QueryBootstrapper.point_descriptors(levels, position).numpy() == pytest.approx(
        clicks.numpy(), abs=1e-3
    )


def test_distances_from_a_click_are_smallest_in_its_cell() -> None:
    features = append_coordinates(torch.zeros(1, 1, 24, 32))[0]
    square, y, x = features[1:4]
    for row, column in ((3, 5), (20, 30)):
        at_y, at_x = (row + 0.5) / 24 * 4, (column + 0.5) / 32 * 4
        distance = square - 2 * (y * at_y + x * at_x)
        assert divmod(int(distance.argmin()), 32) == (row, column)


def test_the_refiners_spots_lie_around_the_clicks() -> None:
    coords = torch.tensor([[20.3, 15.8], [14.5, 24.0]])
    spots = _click_spots(coords, [1], 40, 40)
    for spot_Shw, (y, x) in zip(spots, coords.tolist(), strict=True):
        weight = spot_Shw[SPOT_SIGMAS.index(1.5)]
        cells = torch.arange(40) + 0.5
        found = [(weight.sum(axis) * cells).sum() / weight.sum() for axis in (1, 0)]
        assert found == pytest.approx([y, x], abs=0.01)
