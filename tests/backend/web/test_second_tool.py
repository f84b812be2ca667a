"""The adapter in docs/extending.md, run as a reader would copy it."""

import re
from pathlib import Path

import numpy as np
import pytest

from backend.serving.image_cache import ImageCache
from backend.session.answer_plan import AnswerPlan, FractionalClick, ImagePlan, Target
from backend.web.app import create_app
from dynamite import brush_rle
from tests.fakes import RADIUS, Photos

PAGE = Path(__file__).resolve().parents[3] / "docs" / "extending.md"
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
CAR, CUP = ["k1", "Car", 0.25, 0.5], ["k2", "Cup", 0.75, 0.5]


@pytest.fixture
def example():
    names = {"__name__": __name__}
    exec(CODE.findall(PAGE.read_text())[0], names)
    return names


@pytest.fixture
def post(example, backend):
    parts = backend.parts
    toy = example["Toy"](parts.answering, ImageCache(backend.photos, 10**8))
    client = create_app(parts.settings, parts.journal, [*parts.adapters, toy]).test_client()

    def post(*clicks, image="a.png"):
        body = {"task": "17", "image": image, "clicks": clicks}
        return client.post("/toy/click", json=body)

    return post


def test_the_adapter_of_the_document_answers_a_click(post):
    car, cup = post(CAR, CUP).json["objects"]
    assert (car["label"], cup["label"], car["score"]) == ("Car", "Cup", pytest.approx(0.9))
    mask = brush_rle.decode(bytes(car["rle"]), (400, 600)) > 127
    assert mask[200, 150] and not mask[200, 450]
    assert mask.sum() == pytest.approx(np.pi * RADIUS**2, rel=0.05)


def test_the_next_click_keeps_the_ids(post):
    before = post(CAR).json["objects"]
    after = post(CAR, CUP).json["objects"]
    assert before[0]["id"] == after[0]["id"] != after[1]["id"]


def test_its_errors_have_a_code(post):
    answer = post(CAR, image="missing.png")
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "image_missing")


def test_its_folder_is_a_fetcher(example, tmp_path):
    (tmp_path / "a.png").write_bytes(Photos().fetch("a.png").data)
    opened = ImageCache(example["Folder"](tmp_path), 10**8).open("a.png", "17")
    assert opened.pixels().shape == (400, 600, 3)


def test_a_plan_of_its_own_needs_no_session(example, backend):
    names = {
        "AnswerPlan": AnswerPlan,
        "FractionalClick": FractionalClick,
        "IMAGE": example["IMAGE"],
        "ImagePlan": ImagePlan,
        "Target": Target,
        "accepts": lambda image, label: True,
        "answering": backend.parts.answering,
        "open_image": lambda image: ImageCache(backend.photos, 10**8).open("a.png", "17"),
    }
    exec(CODE.findall(PAGE.read_text())[1], names)
    assert [one.id for one in names["answer"].objects] == ["a", "b"]
