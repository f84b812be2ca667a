"""Boundary IoU, parts and holes of hand-made masks."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.evaluation.scripted import label_map
from training.evaluation.mask_quality import (
    MaskQuality,
    band_width,
    boundary_iou,
    look,
    mask_quality,
    parts_and_holes,
)


def mask(text: str) -> np.ndarray:
    """A mask of one character per pixel: a dot outside."""
    return np.array([[c != "." for c in row] for row in text.split()])


def square(side: int, top: int = 30, left: int = 30) -> np.ndarray:
    drawn = np.zeros((100, 100), np.bool_)
    drawn[top : top + side, left : left + side] = True
    return drawn


EVERYWHERE = np.ones((100, 100), np.bool_)


class TestBoundaryIou:
    def test_of_equal_masks_is_1(self):
        assert boundary_iou(square(40), square(40), 3) == 1

    def test_compares_frames_not_areas(self):
        # A square of 40 against the same one pixel to the right, frames one pixel wide: of the 156
        # pixels each, the upper and lower row share 39 each, and the two columns meet in none but
        # those rows.
        assert boundary_iou(square(40), square(40, left=31), 1) == pytest.approx(78 / (312 - 78))

    def test_falls_with_a_shift_that_iou_hardly_sees(self):
        one, other = square(60, 10, 10), square(60, 10, 12)
        iou = np.count_nonzero(one & other) / np.count_nonzero(one | other)
        assert iou > 0.93
        assert boundary_iou(one, other, 2) < 0.55

    def test_a_hole_has_a_border(self):
        holed = square(40)
        holed[45:55, 45:55] = False
        frame, ring = 40**2 - 36**2, 14**2 - 10**2
        assert boundary_iou(holed, square(40), 2) == pytest.approx(frame / (frame + ring))

    def test_the_edge_of_the_image_is_a_border(self):
        assert boundary_iou(EVERYWHERE, EVERYWHERE & ~square(20, 0, 0), 1) < 1

    def test_a_mask_thinner_than_the_band_is_compared_whole(self):
        assert boundary_iou(square(4), square(2), 5) == 4 / 16

    def test_of_nothing_is_unknown(self):
        assert np.isnan(boundary_iou(square(0), square(0), 2))

    def test_the_band_is_2_percent_of_the_diagonal(self):
        assert band_width(480, 640) == 16
        assert band_width(10, 10) == 1


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ("....", (0, 0)),
        ("####", (1, 0)),
        ("#.#.", (2, 0)),
        ("##.. ..##", (1, 0)),  # corners join a mask
        ("### #.# ###", (1, 1)),
        ("##### #.#.# #####", (1, 2)),
        ("##. #.# .##", (1, 1)),  # and do not open a hole
        ("##. #.. ###", (1, 0)),
        ("#.# #.#", (2, 0)),  # what the image's edge closes off is no hole
        ("##### #...# #.#.# #...# #####", (2, 1)),
    ],
)
def test_parts_and_holes(drawn, expected):
    assert parts_and_holes(mask(drawn)) == expected


def test_quality_of_the_objects_of_an_image():
    target = label_map(50, 50, (0, 0, 20, 20), (30, 30, 40, 40), (45, 0, 50, 5))
    answer = label_map(50, 50, (0, 0, 20, 20), (0, 0, 0, 0), (0, 0, 0, 0))
    answer[5:8, 5:8] = -1
    answer[40, 40] = 0
    found = mask_quality(answer, target, 3, np.ones((50, 50), np.bool_))
    assert found.parts.tolist() == [2, 0, 0]
    assert found.holes.tolist() == [1, 0, 0]
    assert 0.8 < found.boundary_iou[0] < 1
    assert found.boundary_iou[1:].tolist() == [0, 0]


def test_in_ignored_pixels_any_answer_is_right():
    target = label_map(50, 50, (10, 10, 30, 30))
    ignored = np.zeros((50, 50), np.bool_)
    ignored[8:13] = True
    for answer in ((8, 10, 30, 30), (13, 10, 30, 30)):
        found = mask_quality(label_map(50, 50, answer), target, 1, ~ignored)
        assert found.boundary_iou.tolist() == [1]
    found = mask_quality(label_map(50, 50, (15, 10, 30, 30)), target, 1, ~ignored)
    assert found.boundary_iou[0] < 1


def test_an_object_neither_there_nor_predicted_is_unknown():
    empty = np.full((9, 9), -1)
    found = mask_quality(empty, empty, 1, np.ones((9, 9), np.bool_))
    assert np.isnan(found.boundary_iou[0])


def test_look_is_the_mean_over_images_and_over_masks_that_are_there():
    def quality(ious, parts, holes):
        return MaskQuality(np.array(ious), np.array(parts), np.array(holes))

    nothing = quality([0.0, np.nan], [0, 0], [0, 0])
    found = look([quality([0.5, 1.0], [1, 3], [0, 2]), nothing])
    assert found.boundary_iou == pytest.approx((0.75 + 0) / 2)
    assert (found.parts, found.holes) == (2, 1)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), band=st.integers(1, 4))
def test_a_box_gives_what_the_whole_image_gives(seed, band):
    """The definition, on whole masks: erosions by one pixel, one after the other."""
    rng = np.random.default_rng(seed)
    masks = [cv2.resize(rng.random((4, 5)), (40, 32)) > 0.5 for _ in range(2)]
    frames = []
    for one in masks:
        inner = np.pad(one, 1).astype(np.uint8)
        for _ in range(band):
            inner = cv2.erode(inner, np.ones((3, 3), np.uint8))
        frames.append(one & ~inner[1:-1, 1:-1].astype(np.bool_))
    both, either = frames[0] & frames[1], frames[0] | frames[1]
    if either.any():
        assert boundary_iou(*masks, band) == pytest.approx(both.sum() / either.sum())
