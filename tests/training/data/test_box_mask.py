import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from training.data.box_mask import BoxMask, box_mask, decode_box
from training.data.masks import MaskError, decode, encode

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40), fill=st.just(False))


def whole(mask: BoxMask, shape: tuple[int, int]) -> np.ndarray:
    found = np.zeros(shape, bool)
    found[mask.window] = mask.pixels
    return found


@given(masks)
@settings(max_examples=200, deadline=None)
def test_a_box_holds_all_pixels_and_no_empty_edge(mask: np.ndarray) -> None:
    for found in (box_mask(mask), decode_box(encode(mask), mask.shape)):
        assert (whole(found, mask.shape) == mask).all()
        assert found.area == mask.sum()
        pixels = found.pixels
        edges = pixels[:1], pixels[-1:], pixels[:, :1], pixels[:, -1:]
        assert all(edge.any() for edge in edges) == mask.any()


def test_polygons_are_drawn_as_in_a_whole_mask() -> None:
    polygons = [[1, 1, 4, 1, 4, 3, 1, 3], [6, 0, 8, 0, 8, 2, 6, 2]]
    assert (whole(decode_box(polygons, (4, 9)), (4, 9)) == decode(polygons, (4, 9))).all()


def test_what_lies_in_another_mask_is_taken_away() -> None:
    mask, other = np.zeros((2, 5, 7), bool)
    mask[1:4, 2:6] = True
    other[2:, 4:] = True
    assert (whole(box_mask(mask).without(other), (5, 7)) == (mask & ~other)).all()


def test_run_lengths_that_lie_are_refused() -> None:
    with pytest.raises(MaskError, match="add up to 5"):
        decode_box({"size": [2, 3], "counts": [1, 4]}, (2, 3))
