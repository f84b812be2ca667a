"""Which objects get a crop, where it lies, and how its answer is drawn."""

from collections.abc import Container

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dynamite import Click, ClickSet
from dynamite.predict.target_crops import (
    CONTEXT,
    LARGEST,
    MOST,
    SMALL,
    SMALLEST,
    TargetCrop,
    paste,
    target_crops,
)

CELL = 2.0
SIZE = (120, 160)


def drawn(*places: tuple[int, int, int]) -> np.ndarray:
    """Cells of squares (y, x, side in cells) as objects 0, 1, …"""
    owner = np.full(SIZE, -1, np.int16)
    for index, (y, x, side) in enumerate(places):
        owner[y : y + side, x : x + side] = index
    return owner


def crops(
    owner: np.ndarray, clicks: ClickSet, scale: float = 2.0, moved: Container[int] = range(99)
) -> list[TargetCrop]:
    """The crops where an output has ``scale`` pixels per cell."""
    size = round(SIZE[0] * scale), round(SIZE[1] * scale)
    return target_crops(
        owner, clicks, cell=CELL, pixels=(scale, scale), output_size=size, moved=moved
    )


def twice(y: float, x: float, time: int = 0) -> list[Click]:
    """Two clicks near a place."""
    return [Click(x, y, time), Click(x + 1, y, time + 1)]


def test_a_small_object_gets_a_crop_once_it_is_corrected() -> None:
    owner = drawn((50, 60, 6))
    assert crops(owner, ClickSet([[Click(125, 105)]])) == []
    (crop,) = crops(owner, ClickSet([twice(105, 125)]))
    assert crop.owners == (0,)
    (crop,) = crops(owner, ClickSet([[Click(125, 105)]], [Click(140, 105, 1)]))
    assert len(crop.clicks.background) == 1
    assert crops(owner, ClickSet([[Click(125, 105)]], [Click(300, 10, 1)])) == []


def test_a_large_object_gets_none() -> None:
    side = int(SMALL / CELL)
    assert crops(drawn((50, 60, side)), ClickSet([twice(105, 125)])) == []
    assert crops(drawn((50, 60, side - 1)), ClickSet([twice(105, 125)])) != []


def test_an_object_that_holds_still_gets_none() -> None:
    owner = drawn((50, 60, 6), (90, 20, 6))
    clicks = ClickSet([twice(105, 125), twice(185, 45, 2)])
    assert {crop.owners[0] for crop in crops(owner, clicks)} == {0, 1}
    assert [crop.owners[0] for crop in crops(owner, clicks, moved={1})] == [1]


def test_neighbors_in_the_crop_bring_their_clicks() -> None:
    owner = drawn((50, 60, 6), (50, 67, 6), (90, 20, 6))
    clicks = ClickSet([twice(105, 125), [Click(140, 105, 2)], [Click(45, 185, 3)]])
    (crop,) = crops(owner, clicks)
    assert crop.owners == (0, 1)
    rows, columns = crop.box
    for index, own in enumerate(crop.clicks.objects):
        moved = [Click(c.x + columns.start, c.y + rows.start, c.time) for c in own]
        assert moved == list(clicks.objects[index])


def test_an_object_with_a_click_far_off_gets_none() -> None:
    """A crop that held both would not enlarge, and a click outside must not be lost."""
    owner = drawn((50, 60, 6))
    (crop,) = crops(owner, ClickSet([[Click(125, 105, 0), Click(140, 105, 1)]]))
    assert len(crop.clicks.objects[0]) == 2
    assert crops(owner, ClickSet([[Click(125, 105, 0), Click(125, 175, 1)]])) == []


def test_a_long_thin_object_gets_none() -> None:
    owner = drawn()
    owner[60, 20:] = 0  # 140 cells, as few as a square of twelve
    owner[60, 100:] = -1
    assert crops(owner, ClickSet([twice(121, 60)])) == []


@given(y=st.integers(0, 119), x=st.integers(0, 159), high=st.integers(1, 30))
def test_a_crop_enlarges(y: int, x: int, high: int) -> None:
    owner = drawn()
    owner[y : y + high, x : x + 2] = 0
    for crop in crops(owner, ClickSet([twice(2.0 * y + 1, 2.0 * x + 1)])):
        assert all(part.stop - part.start <= LARGEST + 1 for part in crop.box)


def test_an_object_without_cells_is_looked_for_around_its_clicks() -> None:
    (crop,) = crops(drawn(), ClickSet([twice(105, 125)]))
    rows, columns = crop.box
    assert rows.start < 105 < rows.stop
    assert columns.start < 125 < columns.stop


def test_there_are_a_few_at_most_and_the_newest_come_first() -> None:
    places = [(10 + 20 * (i // 6), 10 + 25 * (i % 6), 4) for i in range(12)]
    clicks = ClickSet([twice(2 * y + 2, 2 * x + 2, 2 * i) for i, (y, x, _) in enumerate(places)])
    found = crops(drawn(*places), clicks)
    assert [crop.owners[0] for crop in found] == list(range(11, 11 - MOST, -1))


@given(
    y=st.integers(0, 110),
    x=st.integers(0, 150),
    side=st.integers(1, 9),
    scale=st.sampled_from([0.3, 1, 2, 2.7, 12.5]),
)
def test_a_crop_holds_its_object_and_lies_in_the_image(
    y: int, x: int, side: int, scale: float
) -> None:
    middle = (y + side / 2) * scale, (x + side / 2) * scale
    clicks = ClickSet([[Click(middle[1], middle[0], time) for time in (0, 1)]])
    (crop,) = crops(drawn((y, x, side)), clicks, scale)
    reach = CONTEXT * side * 0.9  # a square is seen to reach to the end of its last cell
    for part, low, length in zip(crop.box, (y, x), SIZE, strict=True):
        high = min(low + side, length)
        whole = round(length * scale)
        assert 0 <= part.start < part.stop <= whole
        assert part.start <= low * scale + 1
        assert part.stop >= high * scale - 1
        assert part.stop - part.start >= min(reach * scale - 2, whole)
        assert part.stop - part.start <= max(2 * CONTEXT * side, 2 * SMALLEST / CELL) * scale + 2


@given(
    grown=st.tuples(*[st.integers(-1, 1)] * 2),
    y=st.integers(30, 80),
    x=st.integers(30, 120),
    off=st.tuples(*[st.floats(-1, 1)] * 2),
)
def test_a_crop_stays_while_its_mask_changes_a_little(
    grown: tuple[int, int], y: int, x: int, off: tuple[float, float]
) -> None:
    """Else each correction would wait for an encode."""
    clicks = ClickSet([twice(2 * (y + 3.5 + off[0]), 2 * (x + 3.5 + off[1]))])
    before, after = (drawn((y, x, 7)) for _ in range(2))
    after[y : y + 7 + grown[0], x + 7 : x + 8] = 0 if grown[1] > 0 else -1
    after[y + 6 : y + 7, x : x + 7] = 0 if grown[0] >= 0 else -1
    assert crops(before, clicks)[0].box == crops(after, clicks)[0].box


CROP = TargetCrop((slice(10, 20), slice(30, 40)), ClickSet([[Click(5, 5)], [Click(1, 1)]]), (3, 7))


def answer(own: np.ndarray) -> np.ndarray:
    """An answer of the crop in which object 0 has a rectangle."""
    found = np.full((10, 10), -1, np.int16)
    top, bottom, left, right = own
    found[top:bottom, left:right] = 0
    return found


def test_a_crops_answer_replaces_its_object_only() -> None:
    labels = np.full((60, 80), -1, np.int16)
    labels[12:16, 31:34] = 3
    labels[12:18, 36:39] = 5
    inside = answer((3, 9, 3, 7))
    inside[2, 1] = 1  # given up to the neighbor
    inside[0, 0] = 1  # the neighbor's, where the object never was: it holds still
    assert paste(labels, CROP, inside)
    mask = np.zeros_like(labels, np.bool_)
    mask[13:19, 33:37] = True
    assert ((labels == 3) == mask).all()
    assert labels[12, 31] == 7
    assert labels[10, 30] == -1
    assert labels[15, 31] == -1
    assert (labels[12:18, 37:39] == 5).all()


def test_an_answer_that_is_cut_off_or_empty_is_not_drawn() -> None:
    labels = np.full((60, 80), -1, np.int16)
    labels[12:16, 31:34] = 3
    for own in ((0, 4, 3, 7), (3, 10, 3, 7), (3, 5, 0, 7), (3, 5, 3, 10), (0, 0, 0, 0)):
        drawn_on = labels.copy()
        assert not paste(drawn_on, CROP, answer(own))
        assert (drawn_on == labels).all()


def test_at_the_edge_of_the_image_nothing_is_cut_off() -> None:
    labels = np.full((10, 10), -1, np.int16)
    whole = TargetCrop((slice(0, 10), slice(0, 10)), ClickSet([[Click(5, 5)]]), (0,))
    assert paste(labels, whole, answer((0, 10, 0, 10)))
    assert (labels == 0).all()
