import cv2
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite import Click, ClickSet
from dynamite.network.prediction import Decision
from dynamite.predict.drawing import Drawing
from dynamite.predict.label_map import label_map
from dynamite.predict.unclicked import CERTAIN, SMALL, fill_unclicked_holes

UNSURE, SURE = CERTAIN / 2, CERTAIN * 2

SIDE = 40
"""Cells of a side of the maps. A hole of 3×3 cells is small in an object that fills most."""


def drawn(owner_hw: np.ndarray, objects: int, lead: float = UNSURE) -> Decision:
    """A decision in which each owner wins its cells of ``owner_hw`` by ``lead`` logits."""
    owners = np.array([*range(objects), -1])
    maps = np.where(owners[:, None, None] == owner_hw, lead, 0.0).astype(np.float32)
    return Decision(torch.from_numpy(maps), torch.from_numpy(owners))


def after_filling(decision: Decision, clicks: ClickSet) -> Drawing:
    drawing = Drawing(decision, tuple(decision.maps_Mhw.shape[1:]))
    fill_unclicked_holes(drawing, clicks)
    return drawing


def filled(decision: Decision, clicks: ClickSet) -> np.ndarray:
    """The owners after holes are filled; maps and owners must agree."""
    drawing = after_filling(decision, clicks)
    after = Decision(drawing.maps_Mhw, drawing.owners_M)
    assert (Drawing(after, drawing.owner_hw.shape).owner_hw == drawing.owner_hw).all()
    return drawing.owner_hw


def plate() -> np.ndarray:
    """One large object that leaves a frame of background."""
    owner_hw = np.full((SIDE, SIDE), -1, np.int16)
    owner_hw[2:-2, 2:-2] = 0
    return owner_hw


def holed(*boxes: tuple[slice, slice], owner: int = -1) -> np.ndarray:
    owner_hw = plate()
    for box in boxes:
        owner_hw[box] = owner
    return owner_hw


HOLE = slice(10, 13), slice(20, 23)
ON_PLATE = ClickSet([[Click(5, 5)]])


def test_a_small_unsure_hole_is_filled() -> None:
    assert (filled(drawn(holed(HOLE), 1), ON_PLATE) == plate()).all()


def test_a_hole_the_image_speaks_for_stays() -> None:
    before = holed(HOLE)
    assert (filled(drawn(before, 1, SURE), ON_PLATE) == before).all()


def test_one_sure_cell_speaks_for_its_hole() -> None:
    before = holed(HOLE)
    decision = drawn(before, 1)
    decision.maps_Mhw[-1, 11, 21] = SURE
    assert (filled(decision, ON_PLATE) == before).all()


def test_a_hole_with_a_click_stays() -> None:
    before = holed(HOLE)
    clicks = ClickSet([[Click(5, 5, 0)]], [Click(21.5, 11.5, 1)])
    assert (filled(drawn(before, 1), clicks) == before).all()


def test_a_click_on_the_background_elsewhere_keeps_no_hole() -> None:
    clicks = ClickSet([[Click(5, 5, 0)]], [Click(0, 0, 1)])
    assert (filled(drawn(holed(HOLE), 1), clicks) == plate()).all()


def test_a_large_hole_stays() -> None:
    side = int(np.sqrt(SMALL) * SIDE) + 1
    before = holed((slice(10, 10 + side), slice(10, 10 + side)))
    assert (filled(drawn(before, 1), ON_PLATE) == before).all()


def test_another_object_in_an_object_stays() -> None:
    before = holed(HOLE, owner=1)
    clicks = ClickSet([[Click(5, 5, 0)], [Click(21, 11, 1)]])
    assert (filled(drawn(before, 2), clicks) == before).all()


def test_a_gap_between_two_objects_stays() -> None:
    before = holed(HOLE)
    before[:, 22:][before[:, 22:] == 0] = 1
    clicks = ClickSet([[Click(5, 5, 0)], [Click(30, 5, 1)]])
    assert (filled(drawn(before, 2), clicks) == before).all()


def test_what_reaches_the_outside_at_a_corner_is_no_hole() -> None:
    before = holed((slice(2, 4), slice(2, 4)), (slice(4, 5), slice(4, 5)))
    assert (filled(drawn(before, 1), ON_PLATE) == before).all()


def test_a_notch_at_the_edge_of_the_image_is_no_hole() -> None:
    before = np.zeros((SIDE, SIDE), np.int16)
    before[0, 10:12] = -1
    assert (filled(drawn(before, 1), ON_PLATE) == before).all()


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), objects=st.integers(1, 3), scale=st.sampled_from([1, 2, 3]))
def test_only_background_becomes_an_object_and_only_where_that_surrounds_it(
    seed: int, objects: int, scale: int
) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, objects, (3, 4)).astype(np.int16)
    before = coarse.repeat(12, 0).repeat(12, 1)
    specks = rng.random(before.shape) < 0.06
    before[specks] = rng.integers(-1, objects, before.shape)[specks]
    height, width = before.shape
    spots = rng.integers(0, (width, height), (objects + 1, 2)).tolist()
    clicks = ClickSet([[Click(x, y)] for x, y in spots[1:]], [Click(*spots[0], 1)])
    decision = drawn(before, objects)
    noise = rng.random(decision.maps_Mhw.shape).astype(np.float32) * UNSURE
    decision.maps_Mhw.add_(torch.from_numpy(noise))

    after = filled(decision, clicks)
    changed = after != before
    assert (before[changed] == -1).all()
    x, y = spots[0]
    assert after[y, x] == before[y, x]  # a click is obeyed
    for row, column in np.argwhere(changed):
        around = after[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        assert (around == after[row, column]).all()

    def labels(one: Decision) -> np.ndarray:
        size = scale * height, scale * width
        drawn_map = label_map(
            one.maps_Mhw, one.owners_M, padded_size=size, input_size=size, output_size=size
        )
        return drawn_map.numpy()

    drawing = after_filling(decision, clicks)
    was, now = labels(decision), labels(Decision(drawing.maps_Mhw, drawing.owners_M))
    # At any size, no cell of another object is touched; between cells of others, slivers may go.
    own_cells = was == before.repeat(scale, 0).repeat(scale, 1)
    assert (was[(was != now) & own_cells] == -1).all()
    near = cv2.dilate(changed.astype(np.uint8), np.ones((5, 5), np.uint8))
    assert (was == now)[near.repeat(scale, 0).repeat(scale, 1) == 0].all()
