"""Every click that changes a kept mask counts, the one that reopens it too, restarts or not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backend.session.page_model import HEIGHT, WIDTH, Backend, Page, Server, mask_of

steps = st.lists(
    st.tuples(st.integers(16, 73), st.integers(18, 21), st.booleans(), st.booleans()),
    min_size=1,
    max_size=5,
)


def painted_page():
    backend = Backend()
    page = Page(Server(), backend, instant_save=True)
    return backend, page, page.paint("A", 15, 20, 75, 20)


def test_the_negative_click_that_reopens_a_painted_mask_is_obeyed():
    _, page, stroke = painted_page()
    (region,) = page.click("A", 45.5, 20.5, positive=False)
    assert region["id"] == stroke
    assert not mask_of(region)[20, 45]


def test_after_a_restart_the_clicks_that_reopened_a_mask_count_on():
    backend, page, stroke = painted_page()
    page.click("A", 45.5, 20.5)
    page.click("A", 45.5, 33.5)
    backend.restart()
    (region,) = page.click("A", 30.5, 33.5)
    assert region["id"] == stroke
    assert mask_of(region)[33, [30, 45]].all()


def test_undoing_the_accept_of_a_change_brings_all_its_clicks_back():
    _, page, stroke = painted_page()
    page.click("A", 45.5, 20.5, positive=False)
    page.click("A", 30.5, 33.5)
    page.accept_all()
    page.click("B", 80.5, 50.5)
    page.undo()
    page.undo()
    (region,) = page.click("A", 60.5, 33.5)
    assert region["id"] == stroke
    assert not mask_of(region)[20, 45]
    assert mask_of(region)[33, [30, 60]].all()


@given(steps=steps)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_all_clicks_on_a_kept_mask_are_obeyed_whatever_restarts(steps):
    backend, page, stroke = painted_page()
    said = {}
    for x, y, positive, restarts in steps:
        if restarts:
            backend.restart()
        answer = page.click("A", x + 0.5, y + 0.5, positive=positive)
        said[y, x] = positive
        masks = {region["id"]: mask_of(region) for region in answer}
        mask = masks.pop(stroke, np.zeros((HEIGHT, WIDTH), bool))
        assert not masks
        assert all(mask[spot] for spot, wanted in said.items() if wanted)
        assert not any(mask[spot] for spot, wanted in said.items() if not wanted)
