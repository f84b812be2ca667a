"""Small corrected objects are drawn from crops; nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamite
from dynamite import Click, ClickSet, Predictor, Shown
from dynamite.network.model import DynaMITE
from tests.dynamite.golden import make_image
from tests.dynamite.predict.bright import BrightIsObject, disc

SIZE = (480, 640)
FIRST = ClickSet([[Click(300, 200)]])
CORRECTED = ClickSet([[Click(300, 200, 0), Click(303, 200, 1)]])


@pytest.fixture
def model() -> BrightIsObject:
    return BrightIsObject(refined=True)


def test_a_crop_is_encoded_once_for_all_corrections(model: BrightIsObject) -> None:
    predictor = Predictor(model)
    features = predictor.encode(disc(SIZE, 300, 200, 7))
    predictor.segment(features, FIRST)
    assert model.encodes == 1
    predictor.segment(features, CORRECTED)
    assert model.encodes == 2
    more = ClickSet([[*CORRECTED.objects[0], Click(298, 203, 2)]])
    predictor.segment(features, more)
    assert model.encodes == 2


def test_the_crop_draws_the_disc_more_exactly(model: BrightIsObject) -> None:
    """On a photo: the input has half its pixels on a side, the crop all of them."""
    size, x, y, radius = (960, 1280), 600.0, 400.0, 14.0
    rows, columns = np.mgrid[: size[0], : size[1]]
    truth = np.hypot(rows + 0.5 - y, columns + 0.5 - x) < radius
    image = disc(size, x, y, radius)
    image[int(y) : int(y) + 3, int(x + radius) : int(x + radius) + 12] = 255  # a thin handle
    truth |= image[..., 0] == 255
    predictor = Predictor(model)
    features = predictor.encode(image)
    clicks = ClickSet([[Click(x, y, 0), Click(x + 5, y, 1)]])
    crop, plain = (
        predictor.segment(one, clicks).masks[0]
        for one in (features, replace(features, picture=None))
    )
    wrong = [(mask != truth).sum() for mask in (crop, plain)]
    assert wrong[0] < 0.6 * wrong[1]


def test_an_object_that_holds_still_is_not_drawn_again(model: BrightIsObject) -> None:
    predictor = Predictor(model)
    features = predictor.encode(disc(SIZE, 300, 200, 7))
    shown = Shown(predictor.segment(features, FIRST).label_map, set())
    predictor.segment(features, CORRECTED, shown=shown)
    assert model.encodes == 1


def test_without_its_picture_the_joint_answer_stays(lite: DynaMITE) -> None:
    predictor = Predictor(lite)
    features = replace(predictor.encode(make_image(64, 96)), picture=None)
    assert predictor.segment(features, ClickSet([[Click(20, 16)]])).label_map.shape == (64, 96)


def test_networks_without_crops_keep_no_picture() -> None:
    model = dynamite.load("lite", random_weights=True, target_crops=False)
    assert Predictor(model).encode(make_image(64, 96)).picture is None


def test_the_callers_image_may_change(model: BrightIsObject) -> None:
    image = disc(SIZE, 300, 200, 7)
    predictor = Predictor(model)
    features = predictor.encode(image)
    image[:] = 0
    assert 100 < predictor.segment(features, CORRECTED).masks[0].sum() < 220


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_every_click_gets_its_pixel(lite: DynaMITE, data: st.DataObject) -> None:
    """Crops of neighbors overlap, and each is drawn over what was there."""
    places = st.tuples(st.integers(0, 159), st.integers(0, 119))
    pixels = data.draw(st.lists(places, min_size=4, max_size=12, unique=True))
    clicks = [Click.on_pixel(x, y, time) for time, (x, y) in enumerate(pixels)]
    given_to = [index % 4 - (index % 4 == 3) * 4 for index in range(len(clicks))]  # 0, 1, 2, −1
    objects = [[c for c, who in zip(clicks, given_to, strict=True) if who == i] for i in range(3)]
    background = [c for c, who in zip(clicks, given_to, strict=True) if who == -1]
    predictor = Predictor(lite)
    features = predictor.encode(make_image(120, 160))
    labels = predictor.segment(features, ClickSet(objects, background)).label_map
    assert [labels[y, x] for x, y in pixels] == given_to
