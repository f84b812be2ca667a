import contextlib
import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import BadRequestError
from backend.label_studio.drafts import read_saved_pages
from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.predict_request import read_request
from backend.session.prompts import Point
from backend.session.regions import ImageKey
from dynamite import brush_rle
from tests.backend.session.page_model import Backend

CAPTURES = Path(__file__).parent.parent / "captures"
FIRST = json.loads((CAPTURES / "predict-first-click.json").read_text())["request"]["body"]


def call(**changes):
    """The first click, with values at dotted paths changed; ``...`` takes one away."""
    body = copy.deepcopy(FIRST)
    for path, value in changes.items():
        *parents, last = (int(p) if p.isdigit() else p for p in path.split("__"))
        holder = body
        for parent in parents:
            holder = holder[parent]
        if value is ...:
            del holder[last]
        else:
            holder[last] = value
    return body


REGION = "params__context__result__0"


def test_click_is_read():
    read = read_request(FIRST)
    (prompt,) = read.call.context
    assert (prompt.id, prompt.label, type(prompt)) == ("qNNJC5cg6L", "A", Point)
    assert prompt.x == pytest.approx(0.5005875)
    assert prompt.positive is True
    assert read.tasks[0].images == {ImageKey("image"): "/data/upload/3/8d03ac02-coffee.jpg"}
    assert read.notes == ()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "bad_body"),
        ([], "bad_body"),
        ("text", "bad_body"),
        ({}, "bad_body"),
        (call(tasks=[]), "bad_body"),
        (call(tasks={"id": 3}), "bad_body"),
        (call(tasks=[7]), "bad_body"),
        (call(tasks__0__id=...), "bad_body"),
        (call(tasks__0__id=True), "bad_body"),
        (call(label_config=...), "bad_label_config"),
        (call(label_config=7), "bad_label_config"),
        (call(label_config="<View>"), "bad_label_config"),
        (call(params__context=[1]), "bad_body"),
        (call(params__context__result={"a": 1}), "bad_body"),
        (call(params__context__result=[1]), "bad_region"),
        (call(params__context__result=[{}] * 1001), "too_many_regions"),
        (call(**{f"{REGION}__value": ...}), "bad_region"),
        (call(**{f"{REGION}__value": []}), "bad_region"),
        (call(**{f"{REGION}__value__x": ...}), "bad_region"),
        (call(**{f"{REGION}__value__x": "50"}), "bad_region"),
        (call(**{f"{REGION}__value__x": math.nan}), "bad_region"),
        (call(**{f"{REGION}__value__y": math.inf}), "bad_region"),
        (call(**{f"{REGION}__value__y": 1e300}), "bad_region"),
        (call(**{f"{REGION}__value__y": 10**400}), "bad_region"),
        (call(**{f"{REGION}__value__x": True}), "bad_region"),
        (call(**{f"{REGION}__to_name": 3}), "bad_region"),
        (call(**{f"{REGION}__to_name": "other"}), "no_image"),
        (call(**{f"{REGION}__item_index": 4}), "no_image"),
        (call(**{f"{REGION}__item_index": -1}), "bad_region"),
        (call(**{f"{REGION}__item_index": 1e12}), "bad_region"),
        (call(tasks__0__data={}), "no_image"),
        (call(tasks__0__data=None), "no_image"),
        (call(**{f"{REGION}__value__keypointlabels": ["Zebra"]}), "unknown_label"),
        (
            call(**{f"{REGION}__value__keypointlabels": 5, f"{REGION}__value__labels": 5}),
            "bad_region",
        ),
        (call(label_config='<View><Image name="image" value="$image"/></View>'), "no_mask_labels"),
    ],
)
def test_what_is_wrong_is_said(body, code):
    with pytest.raises(BadRequestError) as caught:
        read_request(body)
    assert caught.value.code == code
    assert str(caught.value)[0].isupper()
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("context", [None, ...])
def test_call_without_context_is_a_batch(context):
    assert read_request(call(params__context=context)).call is None
    assert read_request(call(params=...)).call is None


@pytest.mark.parametrize("context", [{"result": []}, {"result": None}, {}])
def test_call_with_nothing_left_is_interactive(context):
    read = read_request(call(params__context=context))
    assert read.call.context == ()


def test_point_a_little_outside_is_moved_to_the_edge():
    (prompt,) = read_request(
        call(**{f"{REGION}__value__x": -1, f"{REGION}__value__y": 101})
    ).call.context
    assert (prompt.x, prompt.y) == (0, 1)


BOX = {
    "original_width": 60,
    "original_height": 180,
    "id": "box",
    "from_name": "rect",
    "to_name": "image",
    "type": "rectanglelabels",
    "value": {
        "x": 75.0,
        "y": 100 / 18,
        "width": 250.0,
        "height": 100 / 6,
        "rotation": 90,
        "rectanglelabels": ["B"],
    },
}
"""150×30 pixels, turned upright about its corner at 45, 10 of a 60×180 image."""


def a_box(**value):
    return {**BOX, "value": {**BOX["value"], **value}}


def test_turned_rectangle_may_be_longer_than_the_image_is_wide():
    other = a_box(x=100.0, width=100.0) | {"id": "other"}
    result = Backend(size=(180, 60))(call(params__context__result=[BOX, other]))
    assert [region["value"]["brushlabels"] for region in result] == [["B"], ["B"]]
    mask = brush_rle.decode(result[0]["value"]["rle"], (180, 60)) > 127
    rows, columns = np.nonzero(mask)
    assert columns.min() >= 15 and columns.max() < 45
    assert rows.min() >= 10 and rows.max() < 160
    assert mask[[47, 85, 122], 30].all()


@pytest.mark.parametrize(
    "value",
    [
        {"x": 75.0, "rotation": 0, "y": 101.0},
        {"x": -260.0, "rotation": 0},
        {"rotation": -90, "y": -1.0},
        {"width": math.nan},
        {"width": math.inf},
        {"height": 1e300},
        {"height": 100_001},
        {"x": -100_001},
        {"width": 0},
        {"rotation": 1e9},
    ],
)
def test_rectangle_outside_the_image_or_beyond_measure_is_refused(value):
    with pytest.raises(BadRequestError) as caught:
        read_request(call(params__context__result=[a_box(**value)]))
    assert caught.value.code == "bad_region"
    assert "A region of the context cannot be used: " in str(caught.value)


@pytest.mark.parametrize(
    ("change", "value"), [("value", {"x": 106, "y": 50}), ("value", 5), ("item_index", 4)]
)
@pytest.mark.parametrize("place", [0, 1])
def test_one_bad_region_of_the_context_does_not_cost_the_others(change, value, place):
    (good,) = FIRST["params"]["context"]["result"]
    if isinstance(value, dict):
        value = {**good["value"], **value}
    regions = [good]
    regions.insert(place, good | {"id": "bad", change: value})
    read = read_request(call(params__context__result=regions))
    assert [prompt.id for prompt in read.call.context] == [good["id"]]
    (note,) = read.notes
    assert note.startswith("left out: ")
    assert len(Backend(size=(400, 600))(call(params__context__result=regions))) == 1


def test_region_without_id_gets_a_steady_one():
    first, second = (read_request(call(**{f"{REGION}__id": ...})) for _ in range(2))
    assert first.call.context[0].id == second.call.context[0].id != ""


def test_newer_name_of_polarity_is_read():
    body = call(**{f"{REGION}__is_positive": ..., f"{REGION}__positive": False})
    assert read_request(body).call.context[0].positive is False


@pytest.mark.parametrize(
    "raw",
    [
        7,
        {"type": "brushlabels"},
        {
            "type": "keypointlabels",
            "value": {"keypointlabels": ["A"], "x": "?"},
            "to_name": "image",
        },
        {
            "type": "brushlabels",
            "to_name": "image",
            "original_width": 6,
            "original_height": 4,
            "value": {"rle": [300], "brushlabels": ["A"]},
        },
        {
            "type": "brushlabels",
            "to_name": "image",
            "original_width": 6,
            "original_height": 4,
            "value": {"touches": [{"relativePoints": [1, 2, 3]}], "brushlabels": ["A"]},
        },
    ],
)
def test_bad_region_of_a_draft_is_left_out_and_noted(raw):
    good = copy.deepcopy(FIRST["params"]["context"]["result"][0]) | {"id": "good"}
    draft = {"id": 4, "user": "a@b.c", "updated_at": "2026", "result": [raw, good]}
    read = read_request(call(tasks__0__drafts=[draft, 3, {"id": 5}]))
    assert list(read.tasks[0].drafts[0].prompts) == ["good"]
    assert any("draft:4" in note for note in read.notes)


def test_number_of_a_user_is_the_same_in_drafts_and_annotations():
    draft = {"id": 4, "user": "a@b.c", "created_username": "a@b.c, 12", "result": []}
    annotation = {"id": 5, "completed_by": 12, "result": []}
    other = {"id": 6, "completed_by": {"id": 12, "email": "a@b.c"}, "result": []}
    read = read_request(call(tasks__0__drafts=[draft], tasks__0__annotations=[annotation, other]))
    task = read.tasks[0]
    assert {s.user for s in (*task.drafts, *task.annotations)} == {"12"}


def test_skipped_annotation_does_not_count():
    skipped = {"id": 5, "completed_by": 1, "was_cancelled": True, "result": []}
    assert read_request(call(tasks__0__annotations=[skipped])).tasks[0].annotations == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PATHS = [
    "project",
    "tasks",
    "tasks__0",
    "tasks__0__data",
    "tasks__0__drafts",
    "tasks__0__annotations",
    "tasks__0__predictions",
    "params",
    "params__context",
    "params__context__result",
    REGION,
    *(
        f"{REGION}__{key}"
        for key in ("id", "type", "value", "to_name", "is_positive", "item_index")
    ),
    *(f"{REGION}__value__{key}" for key in ("x", "y", "labels", "keypointlabels")),
]


@pytest.mark.security
@settings(max_examples=50, deadline=None)
@given(st.sampled_from(PATHS), json_values)
def test_any_wrong_value_is_read_or_refused_in_words(path, value):
    with contextlib.suppress(BadRequestError):
        assert read_request(call(**{path: value})).tasks


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2026-11-22T07:00:10Z", "2026-11-22T07:00:10.400000Z"),
        ("2026-11-22T08:00:10+02:00", "2026-11-22T07:00:10Z"),
        ("2026-11-22T07:00:10.400Z", "2026-11-22T07:00:10.400001"),
        ("", "2026-11-22T07:00:10Z"),
        ("no time", "no time at all"),
    ],
)
def test_times_of_drafts_are_compared_as_times(older, newer):
    raw = [{"id": number, "updated_at": at} for number, at in enumerate((older, newer))]
    first, second = read_saved_pages("draft", raw, LabelingConfig((), (), frozenset()), (), [])
    assert first.version < second.version
