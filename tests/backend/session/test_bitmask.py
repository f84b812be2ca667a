import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from backend.session.bitmask import BitMask, union

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=20))


@given(masks)
def test_a_mask_comes_back_as_it_was(mask):
    packed = BitMask.of(mask)
    assert (packed.array() == mask).all()
    for row, column in np.ndindex(mask.shape):
        x, y = (column + 0.5) / mask.shape[1], (row + 0.5) / mask.shape[0]
        assert packed.contains(x, y) == mask[row, column]


@given(st.lists(arrays(np.bool_, (7, 11)), max_size=4))
def test_a_union_holds_the_pixels_of_all(found):
    together = union([BitMask.of(mask) for mask in found], 7, 11)
    assert (together == np.any([np.zeros((7, 11), bool), *found], axis=0)).all()


def test_masks_of_another_size_are_scaled_into_a_union():
    mask = np.zeros((10, 10), bool)
    mask[2:4, 6:8] = True
    together = union([BitMask.of(mask)], 20, 20)
    assert together[4:8, 12:16].all()
    assert together.sum() == 16


def test_a_small_mask_of_a_large_photo_takes_little():
    mask = np.zeros((3000, 4000), bool)
    mask[1000:1100, 2000:2100] = True
    assert BitMask.of(mask).nbytes < 2000


@pytest.mark.parametrize("side", [31, 53, 77, 211])
def test_a_scaled_mask_stays_where_it_is(side):
    shifts = []
    for start in range(10, 40):
        mask = np.zeros((100, 100), bool)
        mask[start : start + 41, start : start + 41] = True
        found = np.nonzero(BitMask.of(mask).sized(side, side))
        shifts.append([axis.mean() + 0.5 - (start + 20.5) * side / 100 for axis in found])
    assert (np.abs(np.mean(shifts, axis=0)) < 0.1).all()
