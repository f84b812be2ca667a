import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.data.box_mask import box_mask
from training.data.problems import DatasetError
from training.data.sample import AnnotatedObject, Sample, compose, paint


def rectangle(rows: slice, columns: slice, shape: tuple[int, int] = (6, 8)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def instance(mask: np.ndarray, label: str = "thing", *, stuff: bool = False) -> AnnotatedObject:
    return AnnotatedObject(box_mask(mask), label, int(mask.sum()), 1, stuff)


WINDOW = rectangle(slice(2, 4), slice(2, 4))
HOUSE = rectangle(slice(1, 6), slice(1, 6))
TREE = rectangle(slice(0, 6), slice(5, 8))
IMAGE = np.zeros((6, 8, 3), np.uint8)


def test_small_objects_are_painted_in_front() -> None:
    labels, order, parents = paint([box_mask(mask) for mask in (WINDOW, HOUSE, TREE)], (6, 8))
    assert order == [1, 2, 0]
    assert parents == [-1, -1, 0]
    assert labels.tolist() == [
        [-1, -1, -1, -1, -1, 1, 1, 1],
        [-1, 0, 0, 0, 0, 1, 1, 1],
        [-1, 0, 2, 2, 0, 1, 1, 1],
        [-1, 0, 2, 2, 0, 1, 1, 1],
        [-1, 0, 0, 0, 0, 1, 1, 1],
        [-1, 0, 0, 0, 0, 1, 1, 1],
    ]


def test_an_object_too_small_uncovers_what_it_hid() -> None:
    labels, order, _ = paint([box_mask(WINDOW), box_mask(HOUSE)], (6, 8), min_visible_area=4)
    assert order == [1]
    assert (labels[HOUSE] == 0).all()


@given(st.lists(arrays(np.bool_, (9, 11)), max_size=6), st.integers(0, 30))
@settings(max_examples=50, deadline=None)
def test_painted_objects_are_disjoint_visible_and_inside_their_masks(
    masks: list[np.ndarray], limit: int
) -> None:
    labels, order, parents = paint([box_mask(mask) for mask in masks], (9, 11), limit)
    assert labels.min() >= -1
    assert labels.max() < len(order) == len(parents)
    for index, position in enumerate(order):
        visible = labels == index
        assert visible.sum() > limit
        assert not (visible & ~masks[position]).any()
        assert parents[index] < index


def test_pixels_are_of_an_object_or_ignored_or_background() -> None:
    sample = compose(IMAGE, [instance(HOUSE)], "a", unknown=WINDOW, crowd=TREE)
    assert sample.ignore[WINDOW].all()
    assert (sample.label_map[WINDOW] == -1).all()
    assert not sample.ignore[HOUSE & ~WINDOW].any(), "a crowd yields to an object"
    assert sample.ignore[TREE & ~HOUSE].all()


def test_a_part_left_out_goes_to_what_it_is_a_part_of() -> None:
    sample = compose(IMAGE, [instance(WINDOW, "w"), instance(HOUSE, "h"), instance(TREE, "t")], "a")
    assert sample.labels == ("h", "t", "w")
    house = sample.keep([0])
    assert (house.label_map == 0).sum() == sample.areas[0] + sample.areas[2]
    assert house.labels == ("h",)
    window = sample.keep([2])
    assert ((window.label_map == 0) == WINDOW).all()
    assert window.parents == (-1,)
    turned = sample.keep([2, 1, 0])
    assert turned.labels == ("w", "t", "h")
    assert turned.parents == (2, -1, -1)
    assert turned.areas.tolist() == sample.areas[::-1].tolist()


def test_a_whole_object_has_its_hidden_pixels_too() -> None:
    sample = compose(IMAGE, [instance(HOUSE, "h"), instance(WINDOW, "w")], "a")
    assert sample.whole_areas == (HOUSE.sum(), WINDOW.sum())
    assert sample.areas.tolist() == [HOUSE.sum() - WINDOW.sum(), WINDOW.sum()]
    assert sample.keep([1]).whole_areas == (WINDOW.sum(),)
    assert Sample(IMAGE, sample.label_map, ("h", "w"), sample.ignore, "a").whole_areas == tuple(
        sample.areas
    )


def test_maps_of_another_size_are_refused() -> None:
    with pytest.raises(DatasetError, match="same size"):
        Sample(IMAGE, np.zeros((3, 3), np.int32), (), np.zeros((6, 8), bool), "a")
    with pytest.raises(DatasetError, match="1 labels"):
        Sample(IMAGE, np.zeros((6, 8), np.int32), ("a",), np.zeros((6, 8), bool), "a", True, (0, 1))
