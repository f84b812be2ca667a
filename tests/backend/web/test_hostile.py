"""What no honest page sends: every answer is a result or a sentence, and the next click works."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.label_studio.config_writer import write
from dynamite import brush_rle

pytestmark = pytest.mark.security

ODD = ["", "a" * 100_000, "../../etc/passwd", "<script>x</script>", "'; DROP", "\0", "💥"]


def changed(region, **value):
    return region | {"value": region["value"] | value}


def assert_unharmed(backend, click, task):
    own = task("unharmed", image="/data/upload/1/unharmed.png")
    assert len(backend.result(click("A", 100, 100), task=own)) == 1


@pytest.mark.parametrize("odd", ODD)
def test_odd_ids_of_regions_and_tasks(backend, click, task, odd):
    for region in (click("A", 50, 50, name="k") | {"id": odd}, click("A", 50, 50) | {"id": [odd]}):
        own = task(odd)
        draft = {"id": odd, "user": odd, "created_username": odd, "updated_at": odd}
        own["drafts"] = [draft | {"result": [region]}]
        answer = backend.predict({"result": [region]}, task=own, project=odd)
        assert answer.status_code == 200, answer.text
        json.dumps(answer.json).encode()
    assert_unharmed(backend, click, task)


@pytest.mark.parametrize("half", ["\\ud800", "\\udC00x", "\\ud83d\\ud83d"])
def test_half_a_character_is_refused_wherever_it_stands(backend, click, task, half):
    text = json.dumps(
        {
            "tasks": [task("HERE")],
            "label_config": write(["A"]),
            "params": {"context": {"result": [click("A", 50, 50, name="HERE")]}},
        }
    )
    for path in ("/predict", "/setup", "/webhook"):
        answer = backend.client.post(
            path, data=text.replace("HERE", half), content_type="application/json"
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "not_json")
    whole = text.replace("HERE", "\\ud83d\\ude00")
    answer = backend.client.post("/predict", data=whole, content_type="application/json")
    assert len(answer.json["results"][0]["result"]) == 1


@pytest.mark.parametrize("name", ["<b>&amp;", "A\nB", "\"quoted\" 'twice'", "x" * 5000, "☕️ 杯"])
def test_label_names_with_markup_come_back_as_they_are(backend, click, name):
    config = write([name])
    if "\n" in name:
        config = config.replace("\n  ", " ")
    answer = backend.predict({"result": [click(name, 50, 50)]}, config=config)
    if answer.status_code == 200:
        (region,) = answer.json["results"][0]["result"]
        assert region["value"]["brushlabels"] == [name]
    else:
        assert answer.json["error"]["code"] == "unknown_label"
        assert "<b>" not in backend.client.get("/").text


LONG = "private\n" * 2000


@pytest.mark.parametrize("good", [True, False], ids=["beside a good click", "alone"])
@pytest.mark.parametrize(
    "change",
    [
        {"type": LONG},
        {"to_name": LONG},
        {"item_index": LONG},
        {"value": {"x": LONG, "y": 5, "keypointlabels": ["A"]}},
        {"value": {"x": 5, "y": 5, "keypointlabels": [LONG]}},
    ],
)
def test_what_a_request_holds_is_shown_short_and_on_one_line(
    backend, click, task, caplog, change, good
):
    caplog.set_level("DEBUG")
    regions = [click("A", 50, 50) | change, *([click("A", 60, 60)] if good else [])]
    own = task(4) | {"drafts": [{"id": LONG, "result": [5]}]}
    for tasks in (own, task([LONG])):
        answer = backend.predict({"result": regions}, task=tasks, project=LONG)
        assert answer.status_code == 200 or len(answer.text) < 500
    lines = [record.getMessage() for record in caplog.records]
    assert any("private" in line for line in lines)
    assert all("\n" not in line and len(line) < 500 for line in lines)


@pytest.mark.parametrize(
    "value",
    [
        {"x": "NaN"},
        {"x": -1e9},
        {"x": 100.0001e3},
        {"x": None},
        {"x": True},
        {"y": [5]},
        {"x": 10**400},
        {"x": {}, "y": {}},
        {"keypointlabels": [["A"]], "labels": None},
        {"keypointlabels": "A", "labels": None},
    ],
)
def test_coordinates_and_labels_that_are_none(backend, click, task, value):
    answer = backend.predict({"result": [changed(click("A", 50, 50), **value)]})
    assert answer.status_code == 400, answer.text
    assert answer.json["error"]["code"] in {"bad_region", "not_json"}
    own = task(2)
    own["drafts"] = [{"id": 1, "result": [changed(click("B", 50, 50), **value)]}]
    if value.get("x") != 10**400:
        assert len(backend.result(click("A", 50, 50), task=own)) == 1  # the draft's is left out
    assert_unharmed(backend, click, task)


@pytest.mark.parametrize(("x", "y"), [(100, 100), (0, 0), (-0.0, 100), (104, 50), (50, -4)])
def test_clicks_on_and_just_beyond_the_border(backend, click, x, y):
    (region,) = backend.result(changed(click("A", 1, 1), x=x, y=y))
    assert brush_rle.decode(region["value"]["rle"], (400, 600)).any()


@pytest.mark.parametrize(
    "rle",
    [[], [0] * 100_000, [255] * 1000, [1, 2, 3], [-1], [256], ["a"], [1.5], "abc", {"a": 1}, [[1]]],
)
@pytest.mark.parametrize("size", [(400, 600), (1, 1), (99_999, 99_999), (-1, 5), ("a", None)])
def test_masks_of_drafts_that_are_none(backend, click, task, rle, size):
    region = click("A", 50, 50, name="m") | {"type": "brushlabels", "from_name": "mask"}
    region |= {"original_height": size[0], "original_width": size[1]}
    region["value"] = {"format": "rle", "rle": rle, "brushlabels": ["A"]}
    own = task(3)
    own["drafts"] = [{"id": 1, "updated_at": "2026", "result": [region]}]
    assert len(backend.result(click("B", 300, 300), task=own)) == 1


@pytest.mark.parametrize(
    "tasks",
    [
        [{}],
        [{"id": None}],
        [{"id": True}],
        [[]],
        "x",
        {},
        [{"id": 1, "data": None}],
        [{"id": 1, "data": {"image": {"a": 1}}}],
        [{"id": 1, "data": {"image": 5}, "drafts": 7, "annotations": {}, "predictions": "x"}],
        [{"id": 1, "data": {"image": "x"}, "drafts": [1, None, {"result": 5}, {"result": [[]]}]}],
    ],
)
@pytest.mark.parametrize("context", [{"result": [{}]}, {"result": "x"}, {"result": None}, [], None])
def test_tasks_and_contexts_that_are_none(backend, tasks, context):
    body = {"tasks": tasks, "label_config": write(["A"]), "params": {"context": context}}
    answer = backend.client.post("/predict", json=body)
    assert answer.status_code < 500, answer.text
    assert answer.status_code == 200 or answer.json["error"]["message"]


def test_a_huge_context_is_refused_in_words(backend, click, task):
    many = [click("A", 1 + i % 500, 1 + i // 500, name=f"k{i}") for i in range(1001)]
    answer = backend.predict({"result": many})
    assert answer.json["error"]["code"] == "too_many_regions"
    assert len(backend.result(*many[:1000])) == 1
    assert_unharmed(backend, click, task)


def test_the_config_is_changed_under_way(backend, click):
    backend.result(click("A", 50, 50), config=write(["A", "B"]))
    result = backend.result(click("B", 300, 300), config=write(["B", "C"]))
    assert [region["value"]["brushlabels"] for region in result] == [["B"]]
    answer = backend.predict({"result": [click("A", 60, 50)]}, config=write(["B", "C"]))
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "unknown_label")
    back = backend.result(click("B", 300, 300), click("B", 310, 300), config=write(["A", "B"]))
    assert {region["value"]["brushlabels"][0] for region in back} == {"A", "B"}


def test_the_image_of_a_task_is_replaced_under_way(backend, click, task):
    (first,) = backend.result(click("A", 50, 50), task=task(1, image="/data/upload/1/a.png"))
    (again,) = backend.result(
        click("A", 50, 50), click("A", 80, 50), task=task(1, image="/data/upload/1/b.png")
    )
    assert again["id"] == first["id"]
    assert backend.predictor.encodes == 2  # never the features of the old image


def test_calls_of_a_page_that_arrive_in_any_order_at_once(backend, click):
    points = [click("A", 40 * i, 200, name=f"k{i}") for i in range(1, 13)]
    calls = [points[: count + 1] for count in range(len(points))]
    with ThreadPoolExecutor(12) as people:
        order = [calls[(7 * i) % len(calls)] for i in range(len(calls))]
        answers = list(people.map(lambda context: backend.predict({"result": context}), order))
    assert {answer.status_code for answer in answers} == {200}
    ids = {region["id"] for answer in answers for region in answer.json["results"][0]["result"]}
    assert len(ids) == 1
    (last,) = backend.result(*points, click("A", 40, 230, name="k13"))
    assert {last["id"]} == ids
    mask = brush_rle.decode(last["value"]["rle"], (400, 600)) > 127
    assert all(mask[200, 40 * i] for i in range(1, 13))
