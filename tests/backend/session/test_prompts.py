import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.session.prompts import MARGIN, Box, Point
from backend.session.regions import ImageKey

IMAGE = ImageKey("image")
SHAPE = (20, 30)
WHOLE = np.ones(SHAPE, bool)


def test_box_may_be_turned():
    mask = Box("r", "A", IMAGE, 0.5, 0.1, 0.3, 0.3, 45).clip(WHOLE)
    assert mask[8, 15]
    assert not mask[2, 20]
    assert 40 < mask.sum() < 70


EDGES = st.sampled_from([0.0, 0.05, 0.5, 1.0]) | st.floats(-0.5, 1.2)
SIDES = st.sampled_from([0.05, 0.5, 1.0]) | st.floats(0.001, 2)


@given(x=EDGES, y=EDGES, width=SIDES, height=SIDES, turn=st.just(0.0) | st.floats(-400, 400))
def test_pixels_of_a_box_are_those_whose_centers_lie_in_it(x, y, width, height, turn):
    box = Box("r", "A", IMAGE, x, y, width, height, turn)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    right, down = columns - x * SHAPE[1], rows - y * SHAPE[0]
    angle = math.radians(turn)
    along = right * math.cos(angle) + down * math.sin(angle)
    across = down * math.cos(angle) - right * math.sin(angle)
    expected = (along >= 0) & (along < width * SHAPE[1])
    expected &= (across >= 0) & (across < height * SHAPE[0])
    assert (box.clip(WHOLE) == expected).all()


@pytest.mark.parametrize("turn", [0, 5])
def test_clipping_a_large_photo_takes_a_few_bytes_a_pixel(turn):
    height, width = shape = (600, 1000)
    box, whole = Box("r", "A", IMAGE, 0, 0, 1, 1, turn), np.ones(shape, bool)
    tracemalloc.start()
    try:
        box.clip(whole)
        assert tracemalloc.get_traced_memory()[1] < 4 * height * width
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_clicks_around_a_box_lie_eight_percent_of_its_sides_beyond_them(turn):
    box = Box("r", "A", IMAGE, 0.4, 0.3, 0.2, 0.1, turn, aspect=0.5)
    around = box.clicks_around()
    assert pytest.approx(0.08) == MARGIN
    expected = [box.at(*spot) for spot in ((-0.08, 0.5), (1.08, 0.5), (0.5, -0.08), (0.5, 1.08))]
    assert around == [pytest.approx(spot) for spot in expected]
    assert not any(box.contains(*spot) for spot in around)


def test_a_point_stands_for_itself_and_encloses_nothing():
    point = Point("p", "A", IMAGE, 0.25, 0.75)
    assert point.clicks() == [point.anchor] == [(0.25, 0.75)]
    assert not point.contains(0.25, 0.75)
    assert point.clicks_around() == []
    assert point.clip(WHOLE) is WHOLE
