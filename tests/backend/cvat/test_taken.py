"""What the shapes of a frame take from others."""

import pytest

from backend.cvat.taken import outline_of, taken

LABELS = {1: "Cat"}


def rounded(corners):
    return [(round(x), round(y)) for x, y in corners]


def test_shapes_without_a_known_label_are_no_examples():
    mask = {"type": "mask", "points": [4, 0, 0, 1, 1], "label_id": 1, "source": "manual"}
    shapes = [mask, mask | {"source": "auto"}, mask | {"source": "file"}, mask | {"label_id": 2}]
    assert [one["label"] for one in taken(shapes, LABELS)] == ["Cat", None, None, None]


def test_a_box_is_an_example_of_nothing():
    (one,) = taken([{"type": "rectangle", "points": [1, 2, 5, 6], "label_id": 1}], LABELS)
    assert one == {"type": "polygon", "points": [1, 2, 5, 2, 5, 6, 1, 6]}


@pytest.mark.parametrize("rotation", [90, 450, -270])
def test_a_turned_box_keeps_its_center(rotation):
    box = {"type": "rectangle", "points": [10, 20, 30, 30], "rotation": rotation}
    assert rounded(outline_of(box)) == [(25, 15), (25, 35), (15, 35), (15, 15)]


def test_an_ellipse_reaches_its_ends():
    across, down = zip(*outline_of({"type": "ellipse", "points": [50, 40, 70, 30]}), strict=True)
    assert rounded([(min(across), min(down)), (max(across), max(down))]) == [(30, 30), (70, 50)]


@pytest.mark.parametrize("kind", ["points", "polyline", "skeleton"])
def test_what_has_no_area_takes_nothing(kind):
    assert taken([{"type": kind, "points": [1, 2, 3, 4], "label_id": 1}], LABELS) == []
