import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tests.training.export.rasterizers import as_coco, as_opencv, iou
from training.export.outlines import trace

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Of pycocotools with numpy 2."""

masks = st_numpy.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


@given(masks, st.integers(1, 3))
def test_polygons_fill_to_the_very_pixels_in_both_ways_of_filling(mask, thicker):
    kernel = np.ones((thicker, thicker), np.uint8)
    mask = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    if not mask.any():
        return
    polygons = trace(mask).polygons
    np.testing.assert_array_equal(as_coco(polygons, mask.shape), mask)
    np.testing.assert_array_equal(as_opencv(polygons, mask.shape), mask)


def ring(outer=60, inner=25):
    mask = cv2.circle(np.zeros((160, 200), np.uint8), (90, 80), outer, 1, -1)
    return cv2.circle(mask, (90, 80), inner, 0, -1) > 0


def test_a_hole_stays_a_hole_and_is_counted():
    outlines = trace(ring())
    assert outlines.holes == 1
    assert len(outlines.polygons) == 1
    assert not as_coco(outlines.polygons, (160, 200))[80, 90]


def test_an_island_in_a_hole_is_a_part_of_its_own():
    mask = ring()
    mask[75:85, 85:95] = True
    outlines = trace(mask)
    assert (len(outlines.polygons), outlines.holes) == (2, 1)


def test_an_empty_mask_has_no_outline():
    assert trace(np.zeros((5, 5), np.bool_)).polygons == ()


@given(st.lists(st.tuples(st.integers(8, 150), st.integers(8, 110)), min_size=2, max_size=5))
def test_parts_are_joined_to_one_polygon_that_fills_to_nearly_the_same(places):
    mask = np.zeros((120, 160), np.uint8)
    for x, y in places:
        cv2.circle(mask, (x, y), 30, 1, -1)
    mask = mask > 0
    joined = trace(mask).joined()
    assert iou(as_coco([joined], mask.shape), mask) > 0.99
    assert iou(as_opencv([joined], mask.shape), mask) > 0.95  # it draws the lines, too


@pytest.mark.parametrize("fill", [as_coco, as_opencv])
def test_a_straight_side_has_two_points(fill):
    mask = np.zeros((50, 70), np.bool_)
    mask[10:30, 20:60] = True
    (polygon,) = trace(mask).polygons
    assert len(polygon) == 4
    assert iou(fill([polygon], mask.shape), mask) == 1
