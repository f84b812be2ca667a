from hypothesis import given
from hypothesis import strategies as st

from dynamite.network.refiner_boxes import (
    MAX_PASS_CELLS,
    PASS_OVERHEAD,
    Box,
    box_size,
    group_boxes,
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
