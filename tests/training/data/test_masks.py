from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from training.data.masks import (
    MAX_PIXELS,
    MaskError,
    check_polygons,
    decode,
    decompress,
    encode,
    run_lengths,
    to_rle,
)

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40))


def test_run_lengths_go_down_the_columns_and_begin_with_zeros() -> None:
    expected = np.array([[0, 1, 1], [1, 1, 0]], bool)
    assert (decode({"size": [2, 3], "counts": [1, 4, 1]}, (2, 3)) == expected).all()
    assert (decode({"size": [2, 3], "counts": [0, 6]}, (2, 3))).all()


@given(masks)
@settings(max_examples=50, deadline=None)
def test_compressed_run_lengths_survive_the_round_trip(mask: np.ndarray) -> None:
    rle = encode(mask)
    assert (decode(rle, mask.shape) == mask).all()
    assert (decode({**rle, "counts": rle["counts"].encode()}, mask.shape) == mask).all()


@given(st.lists(st.integers(0, MAX_PIXELS), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_decompress_reads_what_pycocotools_writes(lengths: list[int]) -> None:
    size = [1, sum(lengths)]
    written = coco_mask.frPyObjects({"size": size, "counts": lengths}, *size)["counts"]
    assert decompress(written).tolist() == lengths


def test_polygons_fill_their_inside() -> None:
    mask = decode([[1, 1, 4, 1, 4, 3, 1, 3], [6, 0, 8, 0, 8, 2, 6, 2]], (4, 8))
    expected = np.zeros((4, 8), bool)
    expected[1:3, 1:4] = True
    expected[0:2, 6:8] = True
    assert (mask == expected).all()


@pytest.mark.parametrize(
    ("rle", "kind"),
    [
        ({"size": [2, 3], "counts": [1, 4]}, "wrong run lengths"),
        ({"size": [2, 3], "counts": [1, 400]}, "wrong run lengths"),
        ({"size": [2, 3], "counts": [7, -1]}, "wrong run lengths"),
        ({"size": [2, 3], "counts": [2**70]}, "wrong run lengths"),
        ({"size": [2, 3], "counts": []}, "wrong run lengths"),
        ({"size": [2, 3], "counts": "0"}, "wrong run lengths"),
        ({"size": [2, 3], "counts": "ooo"}, "wrong run lengths"),  # the last number never ends
        ({"size": [2, 3], "counts": "o" * 20 + "0"}, "wrong run lengths"),
        ({"size": [2, 3], "counts": "~~"}, "unknown encoding"),
        ({"size": [2, 3], "counts": "ä"}, "unknown encoding"),
        ({"size": [2, 3], "counts": [1.5, 4.5]}, "unknown encoding"),
        ({"size": [2, 3], "counts": 6}, "unknown encoding"),
        ({"size": [3, 2], "counts": [6]}, "wrong size"),
        ({"size": 6, "counts": [6]}, "wrong size"),
        ({"counts": [6]}, "unknown encoding"),
        ("6", "unknown encoding"),
        (None, "unknown encoding"),
    ],
)
def test_false_run_lengths_are_refused(rle: object, kind: str) -> None:
    with pytest.raises(MaskError) as caught:
        run_lengths(rle, (2, 3))
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("polygons", "kind"),
    [
        ([], "no mask"),
        ([[1, 1, 2, 2]], "bad polygon"),
        ([[1, 1, 2, 2, 3]], "bad polygon"),
        ([[1, 1, 2, float("nan"), 3, 3]], "bad polygon"),
        ([[1, 1, 2, "x", 3, 3]], "unknown encoding"),
        ([{"x": 1}], "unknown encoding"),
        ([[11, 1, 15, 1, 13, 5]], "outside the image"),
        ([[1, 1, 1e9, 1, 13, 5]], "outside the image"),
    ],
)
def test_bad_polygons_are_refused(polygons: list, kind: str) -> None:
    with pytest.raises(MaskError) as caught:
        check_polygons(polygons, (10, 10))
    assert caught.value.kind == kind


@pytest.mark.parametrize("segmentation", [{"counts": [2**30]}, [[0, 0, 9, 0, 9, 9]]])
def test_an_image_for_which_pycocotools_has_no_room_is_refused(segmentation: Any) -> None:
    shape = (2**15, 2**15)
    if isinstance(segmentation, dict):
        segmentation = {"size": list(shape)} | segmentation
    with pytest.raises(MaskError, match="32768×32768 pixels are more than 536870911"):
        to_rle(segmentation, shape)
