from hypothesis import given
from hypothesis import strategies as st

from dynamite.network.refiner_boxes import CALL, MOST, Box, box_size, in_batches

SIDES = st.integers(1, 160)


def box(height: int, width: int) -> Box:
    return slice(3, 3 + height), slice(5, 5 + width)


def cost(boxes: list[Box], batches: list[list[int]]) -> int:
    """In cells: all boxes of a batch are as high and as wide as its highest and widest."""
    total = 0
    for batch in batches:
        heights, widths = zip(*(box_size(boxes[index]) for index in batch), strict=True)
        total += CALL + len(batch) * max(heights) * max(widths)
    return total


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=12))
def test_every_box_is_looked_at_once_and_together_they_never_cost_more(
    sides: list[tuple[int, int]],
) -> None:
    boxes = [box(*one) for one in sides]
    batches = in_batches(boxes)
    assert sorted(index for batch in batches for index in batch) == list(range(len(boxes)))
    assert cost(boxes, batches) <= cost(boxes, [[index] for index in range(len(boxes))])


def test_many_small_boxes_are_looked_at_in_one_pass_and_a_large_one_apart() -> None:
    boxes = [box(120, 160), *(box(24 + n, 30 - n) for n in range(8))]
    *small, large = in_batches(boxes)
    assert large == [0]
    assert sorted(map(len, small)) == [8]


def test_boxes_of_one_size_go_together_until_they_are_many_cells() -> None:
    assert in_batches([box(40, 50)] * 3) == [[0, 1, 2]]
    together = in_batches([box(40, 50)] * 20)
    assert [len(batch) * 40 * 50 <= MOST for batch in together] == [True] * 3
    assert in_batches([box(100, 90)] * 3) == [[0], [1], [2]]
