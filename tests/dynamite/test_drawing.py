import numpy as np
import pytest

from dynamite import Click, ClickSet
from dynamite.drawing import BLACK, color, mark_clicks, outline, tint


def gray(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def test_colors_of_many_objects_stay_apart() -> None:
    colors = np.array([color(index) for index in range(12)], int)
    distances = np.abs(colors[:, None] - colors[None]).max(-1)
    assert distances[~np.eye(12, dtype=bool)].min() > 20


def test_a_tint_changes_its_mask_only() -> None:
    picture, mask = gray(20, 30), np.zeros((20, 30), bool)
    mask[5:10, 5:10] = True
    tint(picture, mask, color(0))
    assert (picture[~mask] == 100).all()
    assert (picture[mask] == picture[5, 5]).all()
    assert (picture[mask] != 100).any()


def test_an_outline_is_on_the_rim_and_in_holes() -> None:
    picture, mask = gray(40, 40), np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    mask[15:25, 15:25] = False
    outline(picture, mask, (0, 0, 0), 1)
    for y, x in ((5, 20), (20, 34), (20, 14)):
        assert picture[y, x].max() < 60
    for y, x in ((4, 20), (6, 20)):
        assert picture[y, x].min() > 180
    for y, x in ((0, 0), (10, 10), (20, 20)):
        assert picture[y, x].tolist() == [100] * 3


@pytest.mark.parametrize("fraction", [0, 0.5, 0.99])
@pytest.mark.parametrize("scale", [1, 3, 5])
def test_a_mark_is_in_the_middle_of_the_clicked_pixel_wherever_in_it_the_click_was(
    scale: int, fraction: float
) -> None:
    picture = gray(40 * scale, 60 * scale)
    on, other = Click(15 + fraction, 11 + fraction), Click(41 + fraction, 23 + fraction, 1)
    mark_clicks(picture, ClickSet([[on]], [other]), radius=5, scale=scale)
    ink = {"dot": (picture == color(0)).all(-1), "cross": (picture == BLACK).all(-1)}
    ink["cross"][:, : 30 * scale] = False  # the edge of the dot is black, too
    for name, center in (("dot", (11, 15)), ("cross", (23, 41))):
        middle = np.argwhere(ink[name]).mean(0)
        assert middle == pytest.approx([(each + 0.5) * scale - 0.5 for each in center], abs=0.1)
