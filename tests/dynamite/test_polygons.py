"""Masks as polygons and back: nothing lost but holes, no ring that crosses itself."""

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamite import polygons

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14))
tolerances = st.sampled_from([0.0, 0.3, 0.5, 1.0, 2.0, 5.0])


def without_holes(mask: np.ndarray) -> np.ndarray:
    """What a part encloses is filled, also where only a diagonal closes it."""
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    filled = np.zeros_like(mask)
    for part in range(1, count):
        around = np.pad(parts != part, 1, constant_values=True).astype(np.uint8)
        _, labels = cv2.connectedComponents(around, connectivity=4)
        filled |= (labels != labels[0, 0])[1:-1, 1:-1]
    return filled


def parts_of(mask: np.ndarray) -> int:
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1


def blob(size: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((size, size)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), size / 20) > 0


def meet(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Whether the sides a b and c d have a point in common; in whole numbers, so exact."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> int:
        return int(np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])))

    boxes = (np.minimum(a, b) <= np.maximum(c, d)) & (np.minimum(c, d) <= np.maximum(a, b))
    return bool(
        boxes.all() and side(a, b, c) * side(a, b, d) <= 0 and side(c, d, a) * side(c, d, b) <= 0
    )


def is_simple(ring: np.ndarray) -> bool:
    points = np.round(ring * 4).astype(int)
    assert (points == ring * 4).all(), "rings lie on quarters of pixels"
    count = len(points)
    sides = [(points[i], points[(i + 1) % count]) for i in range(count)]
    if count < 3 or any((a == b).all() for a, b in sides):
        return False
    for i, j in combinations(range(count), 2):
        if j - i not in (1, count - 1) and meet(*sides[i], *sides[j]):
            return False
    return len({tuple(point) for point in points}) == count


@settings(deadline=None, max_examples=200)
@given(mask=masks)
def test_without_tolerance_every_pixel_is_kept(mask: np.ndarray) -> None:
    traced = polygons.trace(mask)
    filled = polygons.fill(traced.rings, mask.shape)
    np.testing.assert_array_equal(filled | mask, filled)
    if not traced.holes:
        np.testing.assert_array_equal(filled, mask)
    np.testing.assert_array_equal(filled, without_holes(mask))
    assert len(traced.rings) == parts_of(mask)


@settings(deadline=None, max_examples=200)
@given(mask=masks, tolerance=tolerances)
def test_no_ring_crosses_or_touches_itself(mask: np.ndarray, tolerance: float) -> None:
    for ring in polygons.trace(mask, tolerance).rings:
        assert is_simple(ring)
        assert not polygons.crosses_itself(ring)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tolerance", [1.0, 3.0, 8.0])
def test_coarse_rings_of_wild_shapes_do_not_cross_themselves(seed: int, tolerance: float) -> None:
    mask = blob(120, seed)
    mask[::7] = False
    for ring in polygons.trace(mask, tolerance).rings:
        assert is_simple(ring)


@settings(deadline=None, max_examples=100)
@given(
    points=hnp.arrays(
        np.int64, st.tuples(st.integers(3, 7), st.just(2)), elements=st.integers(0, 6)
    )
)
def test_crossings_are_found(points: np.ndarray) -> None:
    ring = points.astype(float) / 4
    if len({tuple(point) for point in points}) == len(points):
        assert polygons.crosses_itself(ring) <= (not is_simple_or_straight(points))
        if not polygons.crosses_itself(ring):
            assert is_simple(ring)


def is_simple_or_straight(points: np.ndarray) -> bool:
    """Simple, and no side goes back over the one before."""
    along = np.roll(points, -1, axis=0) - points
    before = np.roll(along, 1, axis=0)
    cross = along[:, 0] * before[:, 1] - along[:, 1] * before[:, 0]
    folds = (cross == 0) & ((along * before).sum(1) <= 0)
    return is_simple(points / 4) and not folds.any()


def test_the_tolerance_is_kept_and_saves_points() -> None:
    y, x = np.mgrid[:300, :400]
    disk = (y - 150) ** 2 + (x - 200) ** 2 < 120**2
    fine, coarse = polygons.trace(disk), polygons.trace(disk, 2.0)
    assert len(coarse.rings[0]) < 40 < len(fine.rings[0])
    distance = np.abs(np.hypot(*(coarse.rings[0] - (200.5, 150.5)).T) - 120)
    assert distance.max() < 2.5
    filled = polygons.fill(coarse.rings, disk.shape)
    edge = cv2.dilate(disk.view(np.uint8), np.ones((7, 7))) != cv2.erode(
        disk.view(np.uint8), np.ones((7, 7))
    )
    assert not (filled ^ disk)[~edge].any()


def test_specks_within_the_tolerance_are_no_parts() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:12, 2:12] = True
    mask[12, 12] = mask[15, 2:4] = True  # one touches the square at its corner
    mask[17, 2:5] = True
    assert len(polygons.trace(mask).rings) == 4
    traced = polygons.trace(mask, 1.0)
    assert [len(polygons.trace(mask, t).rings) for t in (0.5, 1.0, 1.5)] == [3, 2, 1]
    assert traced.lost == 0
    assert len(polygons.trace(mask[12:14], 1.0).rings) == 1, "nothing is left of the object"


def test_holes_and_what_is_lost_are_counted() -> None:
    mask = np.ones((9, 12), bool)
    mask[2:4, 2:5] = mask[6, 7] = False
    traced = polygons.trace(mask)
    assert (traced.holes, traced.filled, traced.lost) == (2, 7, 0)
    dots = np.zeros((30, 30), bool)
    dots[::2, ::2] = True
    traced = polygons.trace(dots)
    assert len(traced.rings) == polygons.MAX_PARTS
    assert traced.lost == 225 - polygons.MAX_PARTS


def test_the_largest_part_comes_first() -> None:
    mask = np.zeros((20, 20), bool)
    mask[1:3, 1:3] = mask[8:15, 8:15] = True
    first, second = polygons.trace(mask).rings
    assert polygons.fill([first], mask.shape).sum() == 49
    assert polygons.fill([second], mask.shape).sum() == 4


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 99), height=st.integers(20, 90), width=st.integers(20, 90))
def test_rings_written_in_percent_fill_the_same_pixels(seed: int, height: int, width: int) -> None:
    mask = blob(90, seed)[:height, :width]
    rings = polygons.trace(mask, 1.0).rings
    percent = [(ring / (width, height) * 100).tolist() for ring in rings]
    noisy = [np.asarray(p) * (1 + 1e-13) / 100 * (width, height) for p in percent]
    np.testing.assert_array_equal(
        polygons.fill(noisy, mask.shape), polygons.fill(rings, mask.shape)
    )


def test_rings_may_reach_beyond_the_image() -> None:
    ring = np.array([[-5.0, -5.0], [50.0, -5.0], [50.0, 4.0], [-5.0, 4.0]])
    filled = polygons.fill([ring], (8, 10))
    assert filled[:4].all() and not filled[4:].any()


def test_rings_without_area_fill_nothing() -> None:
    for ring in ([], [[1, 1]], [[1, 1], [5, 5]], [[1, 1], [5, 5], [3, 3]]):
        assert not polygons.fill([np.array(ring, float).reshape(-1, 2)], (8, 8)).any()


def test_what_a_ring_goes_around_twice_is_inside() -> None:
    star = np.array([[10, 0], [16, 19], [0, 7], [20, 7], [4, 19]], float)
    assert polygons.fill([star], (20, 20))[10, 10]


def test_nothing_is_traced_of_an_empty_mask() -> None:
    assert polygons.trace(np.zeros((5, 5), bool)).rings == ()
