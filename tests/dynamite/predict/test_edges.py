import numpy as np
import pytest
import torch

from dynamite import Click, ClickSet, Predictor
from dynamite.network.model import DynaMITE
from dynamite.network.prediction import Decision
from dynamite.predict.drawing import Drawing
from dynamite.predict.edges import RADIUS, edge_change, follow_edges
from tests.dynamite.golden import make_image

SIDE = 48
EDGE = 24
"""The column from which on the image is bright."""


def image(edge: int = EDGE) -> np.ndarray:
    gray = np.full((SIDE, SIDE), 0.2, np.float32)
    gray[:, edge:] = 0.8
    return gray


def left_of(column: int, lead: float = 0.3) -> Decision:
    """A decision in which object 0 leads left of a column, and the background right of it."""
    maps = np.zeros((2, SIDE, SIDE), np.float32)
    maps[0] = np.where(np.arange(SIDE) < column, lead, -lead)
    return Decision(torch.from_numpy(maps), torch.tensor([0, -1]))


def owners(decision: Decision) -> np.ndarray:
    return Drawing(decision, (SIDE, SIDE)).owner_hw


def moved(decision: Decision, clicks: ClickSet, gray: np.ndarray) -> np.ndarray:
    drawing = Drawing(decision, (SIDE, SIDE))
    follow_edges(drawing, clicks, torch.from_numpy(gray))
    return drawing.owner_hw


ONE = ClickSet([[Click(8, 24)]])


@pytest.mark.parametrize(("off", "left"), [(-2, -1), (-1, 0), (1, 0), (2, 1)])
def test_a_border_moves_towards_an_edge(off: int, left: int) -> None:
    found = moved(left_of(EDGE + off), ONE, image())
    assert (found == owners(left_of(EDGE + left))).all()


def test_a_border_on_an_edge_stays() -> None:
    assert (moved(left_of(EDGE), ONE, image()) == owners(left_of(EDGE))).all()


def test_a_border_far_from_an_edge_stays() -> None:
    before = left_of(EDGE + 2 * RADIUS + 2)
    assert (moved(before, ONE, image()) == owners(before)).all()


def test_sure_cells_stay() -> None:
    before = left_of(EDGE + 2, lead=20)
    assert (moved(before, ONE, image()) == owners(before)).all()


def test_without_an_edge_small_and_thin_objects_stay() -> None:
    maps = np.full((2, SIDE, SIDE), -1.0, np.float32)
    maps[0, 10:12, 10:12] = maps[0, 30, 5:40] = 1
    maps[1] = 0
    before = Decision(torch.from_numpy(maps), torch.tensor([0, -1]))
    assert (moved(before, ONE, np.full((SIDE, SIDE), 0.4, np.float32)) == owners(before)).all()


def test_a_clicked_cell_stays() -> None:
    clicks = ClickSet([[Click(8, 24, 0), Click(EDGE + 0.5, 30.5, 1)]])
    found = moved(left_of(EDGE + 1), clicks, image())
    assert (found[29:32, EDGE] == 0).all()
    assert (found[:29, EDGE] == -1).all()


def test_touching_objects_share_the_edge_between_them() -> None:
    maps = np.full((3, SIDE, SIDE), -9.0, np.float32)
    maps[0, :, : EDGE + 1] = maps[1, :, EDGE + 1 :] = 0.3
    maps[1, :, : EDGE + 1] = maps[0, :, EDGE + 1 :] = 0
    before = Decision(torch.from_numpy(maps), torch.tensor([0, 1, -1]))
    clicks = ClickSet([[Click(8, 24, 0)], [Click(40, 24, 1)]])
    found = moved(before, clicks, image())
    assert (found[:, :EDGE] == 0).all()
    assert (found[:, EDGE:] == 1).all()


def test_of_a_mask_that_fills_the_window_nothing_changes() -> None:
    noise = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    for value in (0, 1):
        change = edge_change(noise, np.full((SIDE, SIDE), value, np.float32))
        assert np.abs(change).max() < 1e-3


def test_the_decision_given_is_left_as_it_is() -> None:
    before = left_of(EDGE + 2)
    kept = before.maps_Mhw.clone()
    moved(before, ONE, image())
    assert torch.equal(before.maps_Mhw, kept)


def test_the_guide_is_the_gray_of_the_image(lite: DynaMITE) -> None:
    picture = make_image(64, 96)
    guide = Predictor(lite, resize=None).encode(picture).maps.guide
    assert guide is not None
    cells = picture.astype(float).mean(2).reshape(32, 2, 48, 2).mean((1, 3)) / 255
    assert guide[0].cpu().numpy() == pytest.approx(cells, abs=1e-5)
