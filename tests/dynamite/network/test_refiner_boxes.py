import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite.network.components import find_components
from dynamite.network.refiner_boxes import (
    MAX_PASS_CELLS,
    PASS_OVERHEAD,
    Box,
    box_size,
    group_boxes,
    object_boxes,
)

SIDES = st.integers(1, 160)


def box(height: int, width: int) -> Box:
    return slice(3, 3 + height), slice(5, 5 + width)


def cost(boxes: list[Box], groups: list[list[int]]) -> int:
    """The cost in cells: boxes of a group are padded to its largest height and width."""
    total = 0
    for group in groups:
        heights, widths = zip(*(box_size(boxes[index]) for index in group), strict=True)
        total += PASS_OVERHEAD + len(group) * max(heights) * max(widths)
    return total


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=12))
def test_every_box_is_looked_at_once_and_together_they_never_cost_more(
    sides: list[tuple[int, int]],
) -> None:
    boxes = [box(*one) for one in sides]
    groups = group_boxes(boxes)
    assert sorted(index for group in groups for index in group) == list(range(len(boxes)))
    assert cost(boxes, groups) <= cost(boxes, [[index] for index in range(len(boxes))])


def test_many_small_boxes_are_looked_at_in_one_pass_and_a_large_one_apart() -> None:
    boxes = [box(120, 160), *(box(24 + n, 30 - n) for n in range(8))]
    *small, large = group_boxes(boxes)
    assert large == [0]
    assert sorted(map(len, small)) == [8]


def test_boxes_of_one_size_go_together_until_they_are_many_cells() -> None:
    assert group_boxes([box(40, 50)] * 3) == [[0, 1, 2]]
    together = group_boxes([box(40, 50)] * 20)
    assert [len(group) * 40 * 50 <= MAX_PASS_CELLS for group in together] == [True] * 3
    assert group_boxes([box(100, 90)] * 3) == [[0], [1], [2]]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), margin=st.integers(0, 3))
def test_boxes_hold_clicks_and_what_is_not_unclicked(share: float, seed: int, margin: int) -> None:
    rng = np.random.default_rng(seed)
    masks = (rng.random((3, 7, 9)) < share).repeat(2, 1).repeat(2, 2)
    clicks = [rng.random((1 + index, 2)) * (14, 18) for index in range(3)]
    owners = torch.tensor([index for index, own in enumerate(clicks) for _ in own])
    coords = torch.from_numpy(np.concatenate(clicks))
    boxes = list(object_boxes(torch.from_numpy(masks), coords, owners, margin))
    for mask, own, found in zip(masks, clicks, boxes, strict=True):
        spots = [(int(y), int(x)) for y, x in own]
        components = find_components(mask.view(np.uint8), spots)
        wanted = mask & ~components.unclicked_P[components.labels_hw]
        for y, x in spots:
            wanted[y, x] = True
        for axis, cells in enumerate(found):
            places = np.flatnonzero(wanted.any(axis=1 - axis))
            assert cells.start == max(places[0] - margin, 0)
            assert cells.stop == min(places[-1] + 1 + margin, mask.shape[axis])
