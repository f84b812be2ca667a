"""The clicks that rectangles stand for."""

import numpy as np
import pytest

from backend.session.prompts import Box
from backend.session.store import SessionStore
from tests.backend.session.calls import FIRST, call


def test_rectangle_asks_inside_and_against_its_surroundings():
    box = Box("r", "A", FIRST, 0.4, 0.4, 0.2, 0.2)
    (image,) = SessionStore().begin(call(box)).plan.images
    (target,) = image.targets
    assert (target.clicks[0].x, target.clicks[0].y) == pytest.approx((0.5, 0.5))
    assert len(target.clicks) == 5
    assert all(0.4 < t.x < 0.6 and 0.4 < t.y < 0.6 for t in target.clicks)
    assert len(image.background) == 4
    assert all(not (0.4 <= t.x <= 0.6 and 0.4 <= t.y <= 0.6) for t in image.background)


def test_clicks_of_a_turned_rectangle_turn_with_it():
    box = Box("r", "A", FIRST, 0.5, 0.1, 0.3, 0.3, 45, aspect=0.5)
    (image,) = SessionStore().begin(call(box)).plan.images
    corners = np.array(box.corners(100, 200))
    middle = image.targets[0].clicks[0]
    assert (200 * middle.x, 100 * middle.y) == pytest.approx(tuple(corners.mean(0)))


def test_no_background_click_of_a_rectangle_lies_in_another():
    boxes = [Box(f"r{i}", "A", FIRST, x, 0.4, 0.2, 0.2) for i, x in enumerate((0.2, 0.41))]
    (image,) = SessionStore().begin(call(*boxes)).plan.images
    assert len(image.targets) == 2
    for click in image.background:
        for box in boxes:
            inside = box.x <= click.x <= box.x + 0.2 and box.y <= click.y <= box.y + 0.2
            assert not inside


def grid(count):
    """Rectangles with room around each."""
    return [
        Box(f"r{i}", "A", FIRST, 0.02 + i % 20 / 20, 0.02 + i // 20 / 20, 0.02, 0.02)
        for i in range(count)
    ]


@pytest.mark.parametrize(("count", "inside", "around"), [(111, 5, 4), (112, 1, 0)])
def test_rectangles_get_all_their_clicks_as_long_as_the_model_takes_them(count, inside, around):
    (image,) = SessionStore().begin(call(*grid(count))).plan.images
    assert {len(target.clicks) for target in image.targets} == {inside}
    assert (len(image.targets), len(image.background)) == (count, around * count)


def test_very_many_rectangles_are_not_compared_with_each_other(monkeypatch):
    """Other people's calls wait meanwhile."""
    compared, contains = [], Box.contains
    monkeypatch.setattr(Box, "contains", lambda *at: compared.append(at) or contains(*at))
    (image,) = SessionStore().begin(call(*grid(300))).plan.images
    assert len(image.targets) == 300
    assert not compared
