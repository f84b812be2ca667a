import cv2
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite import Click, ClickSet
from dynamite.network.prediction import Decision
from dynamite.predict.drawing import Drawing
from dynamite.predict.label_map import label_map
from dynamite.predict.unclicked import drop_unclicked_components


def labels(text: str) -> np.ndarray:
    """A label map of one character per pixel: the object's digit, or a dot for the background."""
    rows = text.split()
    return np.array([[-1 if c == "." else int(c) for c in row] for row in rows], dtype=np.int16)


PADDING = 2


def decision(owner_hw: np.ndarray, objects: int, rng: np.random.Generator) -> Decision:
    """A decision that ``owner_hw`` win, with two maps per owner; the padding is random."""
    owners = np.array([*(index for index in range(-1, objects) for _ in range(2))])
    shape = len(owners), *(length + PADDING for length in owner_hw.shape)
    maps = rng.normal(size=shape).astype(np.float32)
    height, width = owner_hw.shape
    inside = maps[:, :height, :width]
    wins = owners[:, None, None] == owner_hw
    second = np.maximum.reduce(np.where(wins, -np.inf, inside))
    inside[wins] = (second + 0.1 + rng.random(inside.shape).astype(np.float32))[wins]
    return Decision(torch.from_numpy(maps), torch.from_numpy(owners))


def after_dropping(before: np.ndarray, clicks: ClickSet) -> np.ndarray:
    """The winners after unclicked components are dropped, from the winners ``before``."""
    drawn = decision(before, len(clicks.objects), np.random.default_rng(0))
    drawing = Drawing(drawn, before.shape)
    drop_unclicked_components(drawing, clicks)
    return drawing.owner_hw


def test_a_small_component_without_a_click_goes_to_the_background() -> None:
    found = after_dropping(labels("000..0 000..1"), ClickSet([[Click(1, 1)], [Click(5, 1)]]))
    assert (found == labels("000... 000..1")).all()


def test_a_component_with_a_click_stays_however_small() -> None:
    before = labels("000..0 000...")
    found = after_dropping(before, ClickSet([[Click(1, 1), Click(5, 0, 1)]]))
    assert (found == before).all()


def test_a_component_as_large_as_the_clicked_one_stays() -> None:
    before = labels("00..00 00..00")
    assert (after_dropping(before, ClickSet([[Click(0, 0)]])) == before).all()


def test_an_object_whose_clicks_are_all_outside_its_mask_stays_whole() -> None:
    before = labels("0...0 .....")
    assert (after_dropping(before, ClickSet([[Click(2, 1)]])) == before).all()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), x=st.integers(0, 19), y=st.integers(0, 11))
def test_only_pixels_become_background_and_never_clicked_ones(seed: int, x: int, y: int) -> None:
    before = np.random.default_rng(seed).integers(-1, 2, (12, 20)).astype(np.int16)
    found = after_dropping(before, ClickSet([[Click(x, y)], [Click(19 - x, 11 - y)]]))
    assert ((found == before) | (found == -1)).all()
    for index, (cx, cy) in enumerate([(x, y), (19 - x, 11 - y)]):
        if before[cy, cx] == index:
            assert found[cy, cx] == index


def drop_on_the_whole_map(before: np.ndarray, clicks: ClickSet) -> np.ndarray:
    """The definition: every object is looked for on the whole map."""
    kept = before.copy()
    for index, own in enumerate(clicks.objects):
        _, components = cv2.connectedComponents((before == index).astype(np.uint8))
        clicked = {int(components[int(c.y), int(c.x)]) for c in own} - {0}
        limit = max(((components == one).sum() for one in clicked), default=0)
        for one in set(np.unique(components).tolist()) - clicked - {0}:
            if (components == one).sum() < limit:
                kept[components == one] = -1
    return kept


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10_000), objects=st.integers(1, 5), size=st.tuples(*[st.integers(1, 9)] * 2)
)
def test_looking_into_boxes_gives_what_looking_everywhere_gives(
    seed: int, objects: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-1, objects, size).astype(np.int16)
    before = coarse.repeat(2, axis=0).repeat(3, axis=1)
    height, width = before.shape
    spots = (rng.random((objects, 2)) * (width, height)).tolist()
    clicks = ClickSet([[Click(int(x), int(y), time)] for time, (x, y) in enumerate(spots)])
    assert (after_dropping(before, clicks) == drop_on_the_whole_map(before, clicks)).all()


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), objects=st.integers(1, 4), scale=st.sampled_from([1, 2, 3, 4]))
def test_at_every_size_unclicked_components_go_to_the_background_and_nothing_to_other_objects(
    seed: int, objects: int, scale: int
) -> None:
    rng = np.random.default_rng(seed)
    before = rng.integers(-1, objects, (4, 5)).astype(np.int16).repeat(3, 0).repeat(3, 1)
    height, width = before.shape
    spots = rng.integers(0, (width, height), (objects, 2)).tolist()
    clicks = ClickSet([[Click(x, y)] for x, y in spots])
    drawn = decision(before, objects, rng)
    drawing = Drawing(drawn, before.shape)
    drop_unclicked_components(drawing, clicks)
    left = Decision(drawing.maps_Mhw, drawing.owners_M)
    wanted = drop_on_the_whole_map(before, clicks)
    assert (drawing.owner_hw == wanted).all()
    assert (Drawing(left, before.shape).owner_hw == wanted).all()

    def labels(one: Decision) -> np.ndarray:
        padded = (scale * (height + PADDING), scale * (width + PADDING))
        size = (scale * height, scale * width)
        return label_map(
            one.maps_Mhw, one.owners_M, padded_size=padded, input_size=size, output_size=size
        ).numpy()

    was, now = labels(drawn), labels(left)
    assert (now[was != now] == -1).all()
    # A pixel depends on the cells around it: only near a dropped component may it change.
    near = cv2.dilate((wanted != before).astype(np.uint8), np.ones((5, 5), np.uint8))
    assert (was == now)[near.repeat(scale, 0).repeat(scale, 1) == 0].all()
    if scale % 2:  # in the middle of a cell only that cell matters
        middle = slice(scale // 2, None, scale)
        assert (now[middle, middle] == wanted).all()
