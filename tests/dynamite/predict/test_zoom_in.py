import numpy as np
from numpy.typing import NDArray

import dynamite
from dynamite import Click, ClickSet, Predictor
from dynamite.predict.zoom_in import Crop, clicks_inside, crop_around, merge, zoom_in
from tests.dynamite.golden import make_image


def square(side: int, top: int, left: int, size: int) -> NDArray[np.bool_]:
    mask = np.zeros((side, side), dtype=bool)
    mask[top : top + size, left : left + size] = True
    return mask


def test_the_crop_holds_object_and_clicks_with_room_around() -> None:
    crop = crop_around(square(400, 100, 200, 40), (Click(205, 150),))
    assert crop == Crop(top=80, left=175, bottom=170, right=265)


def test_large_and_empty_objects_are_left_alone() -> None:
    assert crop_around(square(400, 0, 0, 200), (Click(5, 5),)) is None
    assert crop_around(np.zeros((400, 400), dtype=bool), (Click(5, 5),)) is None


def test_a_crop_ends_where_the_image_ends() -> None:
    crop = crop_around(square(400, 380, 0, 20), (Click(3, 390),))
    assert crop is not None
    assert (crop.left, crop.bottom) == (0, 400)


def test_only_the_clicks_inside_are_asked_again() -> None:
    clicks = ClickSet([[Click(5, 5)], [Click(50, 50, 1), Click(90, 90, 2)]], [Click(48, 47, 3)])
    inside, kept = clicks_inside(clicks, Crop(40, 40, 60, 60))
    assert kept == [1]
    assert inside == ClickSet([[Click(10, 10, 1)]], [Click(8, 7, 3)])


def test_merging_changes_only_the_object_looked_at() -> None:
    #  object 0 looked at; object 1 has clicks in the crop, object 2 has none
    labels = np.array([[0, 0, 0, 0, 1, 2, -1]], dtype=np.int16)
    again = np.array([[1, 0, 0, 0, 0, 0, 0]], dtype=np.int16)  # of the crop's objects 0 and 1
    merge(labels, again, 0, kept=[0, 1])
    assert labels.tolist() == [[1, 0, 0, 0, 0, 2, 0]]


def test_a_second_look_at_something_else_is_not_believed() -> None:
    labels = np.array([[0, 0, 0, 0, -1, -1, -1, -1]], dtype=np.int16)
    again = np.array([[-1, -1, -1, 0, 0, 0, 0, 0]], dtype=np.int16)
    merge(labels, again, 0, kept=[0])
    assert labels.tolist() == [[0, 0, 0, 0, -1, -1, -1, -1]]


def test_a_small_object_is_seen_again_in_its_crop() -> None:
    labels = np.full((200, 200), -1, dtype=np.int16)
    labels[100:120, 100:120] = 0
    shapes = []

    def segment(crop: NDArray[np.uint8], clicks: ClickSet) -> NDArray[np.int16]:
        shapes.append(crop.shape)
        again = np.full(crop.shape[:2], -1, dtype=np.int16)
        again[8:30, 8:28] = 0
        return again

    image = np.zeros((200, 200, 3), np.uint8)
    found = zoom_in(image, ClickSet([[Click(110, 110)]]), labels, segment)
    assert shapes == [(36, 36, 3)]
    assert found.sum() > labels.sum()
    assert (labels == 0).sum() == 400, "the first answer is left as it was"


def test_the_predictor_looks_again_where_the_config_says_so() -> None:
    model = dynamite.load("lite", random_weights=True, zoom_in=True)
    predictor = Predictor(model)
    image = make_image(96, 128)
    features = predictor.encode(image)
    assert features.image is not None
    assert (features.image == image).all()
    result = predictor.segment(features, ClickSet([[Click(60, 40)]], [Click(3, 3, 1)]))
    assert result.label_map.shape == (96, 128)


def test_what_happens_to_the_image_later_does_not_show() -> None:
    image = make_image(96, 128)
    predictor = Predictor(dynamite.load("lite", random_weights=True, zoom_in=True))
    features = predictor.encode(image)
    image[:] = 0
    assert features.image is not None
    assert (features.image == make_image(96, 128)).all()
