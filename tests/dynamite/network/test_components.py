import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite.network.components import find_components


def test_components_have_boxes_and_smaller_ones_without_a_click_are_unclicked() -> None:
    mask = np.zeros((6, 9), np.uint8)
    mask[0:2, 0:3] = mask[4, 5:7] = mask[0:3, 6:9] = 1
    found = find_components(mask, [(0, 1), (99, 0), (-1, 2)])
    boxes = {
        tuple(box): bool(unclicked)
        for box, unclicked in zip(found.boxes_P4, found.unclicked_P, strict=True)
    }
    assert boxes.pop((0, 0, 9, 6)) is False  # everything outside the mask
    assert boxes == {(0, 0, 3, 2): False, (5, 4, 2, 1): True, (6, 0, 3, 3): False}


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_every_pixel_is_in_the_box_of_its_component(seed: int, share: float) -> None:
    mask = (np.random.default_rng(seed).random((13, 17)) < share).astype(np.uint8)
    found = find_components(mask, [(6, 8)])
    assert ((found.labels_hw > 0) == mask).all()
    for index, (x, y, w, h) in enumerate(found.boxes_P4[1:], start=1):
        rows, columns = np.nonzero(found.labels_hw == index)
        assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (
            y,
            y + h,
            x,
            x + w,
        )
    if mask[6, 8]:
        assert not found.unclicked_P[found.labels_hw[6, 8]]
