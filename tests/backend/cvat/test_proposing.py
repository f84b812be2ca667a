"""The route behind ``dynamite cvat-masks --more-like-this``: what it takes, and what it refuses."""

import base64
from contextlib import ExitStack

import numpy as np
import pytest

from backend import composition
from backend.cvat import rle
from tests.backend.cvat.cvat_page import a_frame
from tests.backend.cvat.test_hostile import ODD
from tests.backend.proposals.pages import PLACES, SIZE, FakeProposer, disc

FRAME = base64.b64encode(a_frame(*SIZE)).decode()
MASK = {"type": "mask", "points": rle.encode(disc(*PLACES[0]).array())}
GOOD = {"image": FRAME, "labels": ["A"], "shapes": [MASK], "project": 4}


@pytest.fixture
def backend(make_backend, monkeypatch):
    monkeypatch.setattr(composition, "Proposer", FakeProposer)
    return make_backend(cvat=True)


@pytest.fixture
def call(backend):
    return lambda **changed: backend.client.post("/cvat/proposals", json=GOOD | changed)


def test_the_others_are_answered_with_scores(call):
    found = call().json["proposals"]
    assert [(one["label"], one["score"]) for one in found] == [("A", 0.7), ("A", 0.6)]
    for one, (x, y) in zip(found, PLACES[1:], strict=True):
        assert rle.decode(one["points"], *SIZE)[y, x]


def test_only_labels_of_the_task_are_answered(call):
    assert call(labels=["B"]).json["proposals"] == []


def test_what_is_asked_again_is_not_encoded_again(call, backend):
    call()
    call()
    assert backend.predictor.encodes == 1


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_an_odd_value_is_refused_in_words_or_does_no_harm(call, field, odd):
    answer = call(**{field: odd})
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        words = answer.json["error"]["message"]
        assert len(words) < 400 and "\n" not in words
    assert call().status_code == 200


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "mask", "points": []},
        {"type": "mask", "points": [1.0, 2.0, 0.0, 0.0, 9.0]},
        {"type": "mask", "points": [0.5, 1.0, 0.0, 0.0, 0.0]},
        {"type": "mask", "points": [4, 0, 0, 900, 900]},
        {"type": "polygon", "points": []},
        {"type": "polygon", "points": [1.0]},
        {"type": "polygon", "points": [1.0, 2.0, 3.0]},
        {"type": "rectangle", "points": [1, 2, 3, 4]},
        MASK | {"points": [*map(str, MASK["points"])]},
        {"type": "mask"},
        MASK | {"label": 3},
    ],
)
def test_a_shape_that_is_none_is_named(call, shape):
    answer = call(shapes=[MASK, shape])
    assert answer.status_code == 400
    assert "shapes.1" in answer.json["error"]["message"]


def test_so_many_shapes_are_not_drawn(call):
    answer = call(shapes=[MASK] * 2001)
    assert answer.status_code == 400 and "2000" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("points", "share"),
    [
        ([-50, -50, 650, -50, 650, 450, -50, 450], 1.0),
        ([-9000, -9000, 9000, -9000, 9000, 9000, -9000, 9000], 1.0),
        ([-600, 0, 600, 0, -600, 400], 0.25),  # its corner stays where it is
        ([700, 10, 720, 10, 720, 30], 0.0),
    ],
)
def test_a_polygon_beyond_the_frame_takes_what_lies_in_it(call, points, share):
    assert call(shapes=[{"type": "polygon", "points": points}]).status_code == 200
    (known,) = FakeProposer.last.asked[-1].others
    found = np.count_nonzero(known.array()) / (SIZE[0] * SIZE[1])
    assert found == pytest.approx(share, abs=0.01)


def test_an_example_in_a_box_keeps_its_pixels(call):
    box = {"type": "polygon", "points": [270, 30, 330, 30, 330, 90, 270, 90]}
    call(shapes=[MASK | {"label": "A"}, box])
    asked = FakeProposer.last.asked[-1]
    (example,), (other,) = asked.examples["A"], asked.others
    assert not (example.array() & other.array()).any()
    assert np.count_nonzero(example.array() | other.array()) == 60 * 60


@pytest.mark.parametrize("field", ["image", "labels"])
def test_a_missing_value_is_named(backend, field):
    body = {name: value for name, value in GOOD.items() if name != field}
    answer = backend.client.post("/cvat/proposals", json=body)
    assert answer.status_code == 400 and field in answer.json["error"]["message"]


def test_without_the_password_nothing_is_proposed(make_backend):
    backend = make_backend(cvat=True, basic_auth_user="u", basic_auth_password="a-long-password")
    assert backend.client.post("/cvat/proposals", json=GOOD).status_code == 401


def test_busy_is_told_as_429(make_backend):
    backend = make_backend(cvat=True, threads=2)
    with ExitStack() as others:
        for _ in range(2):
            others.enter_context(backend.parts.admission.place())
        answer = backend.client.post("/cvat/proposals", json=GOOD)
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "busy")
