import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.session.bitmask import BitMask, union
from backend.session.paint import MAX_CLICKS, Stroke, draw
from backend.session.sampling import MAX_POINTS, interior_points

HEIGHT, WIDTH = 300, 400
fractions = st.floats(0, 1, allow_nan=False, width=32)
paths = st.lists(st.tuples(fractions, fractions), min_size=2, max_size=6, unique=True)


@settings(max_examples=50, deadline=None)
@given(paths, st.lists(st.floats(0, 1, width=32), max_size=60))
def test_clicks_do_not_depend_on_the_speed_of_the_mouse(path, stops):
    """However many points the page recorded along the way, the same line gives the same clicks."""
    legs = len(path) - 1
    recorded = sorted([stop * legs for stop in stops] + [float(i) for i in range(len(path))])
    points = np.array(path)
    slow = [tuple(points[0])] * 3  # resting before it moves
    for where in recorded:
        leg = min(int(where), legs - 1)
        slow.append(tuple(points[leg] + (where - leg) * (points[leg + 1] - points[leg])))
    once = Stroke(tuple(path), 0.01).clicks(HEIGHT, WIDTH)
    often = Stroke(tuple(slow), 0.01).clicks(HEIGHT, WIDTH)
    if len(once) == len(often):
        assert np.allclose(once, often, atol=1e-3)
    else:  # of a length just between two numbers of clicks, by rounding
        assert abs(len(once) - len(often)) == 1


@settings(max_examples=50, deadline=None)
@given(paths)
def test_clicks_of_a_stroke_are_few_and_equally_far_apart_along_it(path):
    found = Stroke(tuple(path), 0.01).clicks(HEIGHT, WIDTH)
    assert 1 <= len(found) <= MAX_CLICKS
    canvas = draw(np.zeros((HEIGHT, WIDTH), bool), [Stroke(tuple(path), 8 / WIDTH)])
    assert all(BitMask.of(canvas).contains(x, y) for x, y in found)


def test_straight_stroke_is_divided_evenly():
    found = np.array(Stroke(((0.0, 0.5), (1.0, 0.5)), 0.01).clicks(HEIGHT, WIDTH))
    assert np.ptp(np.diff(found[:, 0])) < 1e-9
    assert len(found) == MAX_CLICKS


def test_dot_is_one_click():
    assert Stroke(((0.3, 0.4),), 0.01).clicks(HEIGHT, WIDTH) == [pytest.approx((0.3, 0.4))]


def test_painting_is_as_wide_as_the_stroke_and_erasers_take_away():
    stroke = Stroke(((0.25, 0.5), (0.75, 0.5)), 20 / WIDTH)
    mask = draw(np.zeros((HEIGHT, WIDTH), bool), [stroke])
    assert abs(int(mask[:, 200].sum()) - 20) <= 2
    assert abs(int(mask.sum()) - (200 * 20 + 314)) < 250
    eraser = Stroke(((0.5, 0.0), (0.5, 1.0)), 40 / WIDTH, erases=True)
    erased = draw(mask, [eraser])
    assert not erased[:, 200].any()
    assert erased[150, 120]
    assert mask[150, 200]  # the first mask is as it was


def test_strokes_lie_where_they_were_drawn():
    rng = np.random.default_rng(0)
    shifts = []
    for _ in range(300):
        x, y = rng.uniform(0.3, 0.7, 2)
        dot = Stroke(((x, y), (x, y)), rng.integers(4, 16) / WIDTH)
        rows, columns = np.nonzero(draw(np.zeros((HEIGHT, WIDTH), bool), [dot]))
        shifts.append((columns.mean() + 0.5 - x * WIDTH, rows.mean() + 0.5 - y * HEIGHT))
    assert (np.abs(np.mean(shifts, axis=0)) < 0.1).all()


def test_wild_strokes_are_survived():
    wild = Stroke(((-9.0, -9.0), (9.0, 9.0), (1e1, -1e1)), 10.0)
    assert draw(np.zeros((20, 30), bool), [wild]).shape == (20, 30)
    assert len(wild.clicks(20, 30)) <= MAX_CLICKS


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 90), st.integers(1, 90))
def test_points_for_a_mask_lie_inside_it(seed, height, width):
    mask = np.random.default_rng(seed).random((height, width)) < 0.6
    points = interior_points(mask)
    assert len(points) <= MAX_POINTS
    assert bool(points) == mask.any()
    assert all(BitMask.of(mask).contains(x, y) for x, y in points)


def test_points_for_a_long_mask_spread_over_it():
    mask = np.zeros((1000, 2000), bool)
    mask[480:520, 100:1900] = True
    xs = sorted(x for x, _ in interior_points(mask))
    assert xs[0] < 0.2
    assert xs[-1] > 0.8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30))
def test_bitmask_holds_a_mask(seed, height, width):
    rng = np.random.default_rng(seed)
    first, second = (rng.random((height, width)) < 0.5 for _ in range(2))
    packed = BitMask.of(first)
    assert (packed.array() == first).all()
    for row in range(height):
        assert packed.contains(0.999, (row + 0.5) / height) == first[row, -1]
    assert (union([packed, BitMask.of(second)], height, width) == (first | second)).all()
