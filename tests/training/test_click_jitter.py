import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dynamite import Click, ClickSet
from training.click_jitter import jittered

LABELS = np.full((24, 32), -1, np.int16)
LABELS[4:20, 4:16] = 0
LABELS[6:9, 20:23] = 1
CLICKS = ClickSet(
    [[Click.on_pixel(9, 11, 0), Click.on_pixel(4, 4, 3)], [Click.on_pixel(21, 7, 1)]],
    [Click.on_pixel(0, 23, 2)],
)


@given(seed=st.integers(0, 2**32), deviation=st.floats(0.1, 30))
def test_a_click_stays_on_what_it_was_meant_for(seed: int, deviation: float) -> None:
    moved = jittered(CLICKS, LABELS, deviation, np.random.default_rng(seed))
    moved.check_inside(*LABELS.shape)
    assert moved.owners == CLICKS.owners
    assert [click.time for click in moved] == [click.time for click in CLICKS]
    assert [LABELS[int(click.y), int(click.x)] for click in moved] == [0, 0, 1, -1]


def test_clicks_fall_around_where_they_were_aimed() -> None:
    rng = np.random.default_rng(0)
    clicks = ClickSet([[Click.on_pixel(10, 12)]])
    found = [jittered(clicks, LABELS, 1.0, rng).objects[0][0] for _ in range(2000)]
    places = np.array([(click.x, click.y) for click in found])
    assert np.abs(places.mean(0) - (10.5, 12.5)).max() < 0.1
    assert np.abs(places.std(0) - 1).max() < 0.1


def test_earlier_clicks_stay_where_they_are() -> None:
    moved = jittered(CLICKS, LABELS, 1.0, np.random.default_rng(0), since=2)
    still = {0: True, 1: True, 2: False, 3: False}
    assert {a.time: a == b for a, b in zip(moved, CLICKS, strict=True)} == still
    assert jittered(CLICKS, LABELS, 0.0, np.random.default_rng(0)) is CLICKS
