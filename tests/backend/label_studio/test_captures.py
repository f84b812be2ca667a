"""Calls recorded from the real Label Studio 1.23.2, replayed."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from backend.label_studio import labeling_config
from backend.label_studio.batch import plan_batch
from backend.label_studio.predict_request import read_request
from backend.session.masks import MaskReader
from dynamite import brush_rle
from tests.backend.session.page_model import Backend

CAPTURES = Path(__file__).parent.parent / "captures"
SIZE = (400, 600)


def body(name):
    return json.loads((CAPTURES / f"predict-{name}.json").read_text())["request"]["body"]


@pytest.fixture
def backend():
    return Backend(size=SIZE)


def masks(result):
    decoded = {r["id"]: brush_rle.decode(r["value"]["rle"], SIZE) > 127 for r in result}
    total = np.sum([mask.astype(int) for mask in decoded.values()], axis=0)
    assert np.max(total, initial=0) <= 1
    return decoded


def labels(result):
    return sorted(region["value"]["brushlabels"][0] for region in result)


INTERACTIVE = sorted(
    path.stem.removeprefix("predict-")
    for path in CAPTURES.glob("predict-*.json")
    if "batch" not in path.stem
)


@pytest.mark.parametrize("name", INTERACTIVE)
def test_answer_has_the_form_the_page_takes(backend, name):
    call = body(name)
    result = backend(call)
    config = labeling_config.parse(call["label_config"])
    assert len({region["id"] for region in result}) == len(result)
    for region in result:
        control = config.output(region["to_name"], region["value"]["brushlabels"][0])
        assert region["from_name"] == control.name
        assert (region["original_height"], region["original_width"]) == SIZE
        assert region["image_rotation"] == 0
        assert 0 <= region["score"] <= 1
    masks(result)


@pytest.mark.parametrize("name", INTERACTIVE)
def test_a_fresh_process_gives_the_same_ids(name):
    first, second = (Backend(size=SIZE)(body(name)) for _ in range(2))
    assert [region["id"] for region in first] == [region["id"] for region in second]


def test_session_of_four_clicks_keeps_one_object_per_label(backend):
    first, second, third, fourth = (
        backend(body(name))
        for name in ("first-click", "second-click-same-label", "negative-click", "second-label")
    )
    assert first[0]["id"] == second[0]["id"] == third[0]["id"]
    assert labels(fourth) == ["A", "B"]
    assert third[0]["id"] in {region["id"] for region in fourth}


def test_second_label_after_a_restart_is_rebuilt_from_the_draft(backend):
    seen = backend(body("first-click"))
    rebuilt = Backend(size=SIZE)(body("second-label"))
    assert labels(rebuilt) == ["A", "B"]
    assert seen[0]["id"] in {region["id"] for region in rebuilt}


def test_negative_click_takes_pixels_away(backend):
    before = masks(backend(body("first-click")))
    del before
    x, y = 50.5 * 6, 27.2 * 4
    result = backend(body("click-inside-suggestion"))
    ((_, mask),) = masks(result).items()
    assert not mask[int(y), int(x)]


def test_restored_keypoint_is_positive_as_the_draft_says(backend):
    result = backend(body("restored-draft-keypoints"))
    assert labels(result) == ["A", "B"]
    (a,) = (r for r in result if r["value"]["brushlabels"] == ["A"])
    assert masks(result)[a["id"]][int(31.05 * 4), int(50.06 * 6)]


def test_restored_negative_keypoint_stays_negative(backend):
    call = body("restored-draft-keypoints")
    call["tasks"][0]["drafts"][0]["result"][0]["is_positive"] = False
    result = backend(call)
    (a,) = (r for r in result if r["value"]["brushlabels"] == ["A"])
    assert not masks(result)[a["id"]][int(31.05 * 4), int(50.06 * 6)]


def test_painted_strokes_keep_their_pixels(backend):
    call = body("draft-with-brush-touches")
    result = backend(call)
    assert labels(result) == ["A", "B"]
    stroke = read_request(call).tasks[0].drafts[0].masks["aS3pG9-AB7"]
    painted = MaskReader()(stroke).array()
    assert painted.sum() > 800
    for mask in masks(result).values():
        assert not (mask & painted).any()


@pytest.mark.parametrize("name", ["on-submitted-annotation", "backend-500"])
def test_masks_on_the_page_keep_their_pixels(backend, name):
    call = body(name)
    region = next(r for r in _entries(call) if r["type"] == "brushlabels" and "rle" in r["value"])
    taken = brush_rle.decode(region["value"]["rle"], SIZE) > 127
    keypoint = call["params"]["context"]["result"][-1]
    rows, columns = np.nonzero(taken)
    keypoint["value"]["x"] = 100 * (columns.max() + 3) / 600  # just outside
    keypoint["value"]["y"] = 100 * rows[columns.argmax()] / 400
    result = backend(call)
    assert labels(result) == ["A"]
    assert not (masks(result)[result[0]["id"]] & taken).any()


def test_click_in_a_submitted_mask_updates_that_region(backend):
    call = body("on-submitted-annotation")
    region = call["tasks"][0]["annotations"][0]["result"][1]
    taken = brush_rle.decode(region["value"]["rle"], SIZE) > 127
    rows, columns = np.nonzero(taken)
    keypoint = call["params"]["context"]["result"][-1]
    keypoint["value"] |= {
        "x": 100 * (columns.mean() + 0.5) / 600,
        "y": 100 * (rows.mean() + 0.5) / 400,
        "labels": ["B"],
        "keypointlabels": ["B"],
    }
    result = backend(call)
    assert [(r["id"], r["value"]["brushlabels"]) for r in result] == [(region["id"], ["B"])]


def test_accepted_mask_with_a_second_label_result_counts_once(backend):
    call = body("race-1")
    (draft,) = read_request(call).tasks[0].drafts
    assert [entry.label for entry in draft.entries] == ["Object 1", "Object 1"]
    assert len(draft.masks) == 1
    result = backend(call)
    assert labels(result) == ["Object 1"]
    assert result[0]["id"] not in draft.masks


def test_background_label_gets_no_mask_of_its_own(backend):
    backend(body("smartonly-object-1"))
    assert labels(backend(body("smartonly-background"))) == ["Object 1"]


def test_draft_older_than_the_context_adds_the_other_labels(backend):
    result = backend(body("keep-label-2"))
    assert labels(result) == ["Object 1", "Object 2"]


def test_auto_accept_outside_is_new_and_inside_refines(backend):
    first = backend(body("auto-accept-1"))
    second = backend(body("auto-accept-2"))
    inside = body("auto-accept-2")
    inside["params"]["context"]["result"][0] |= {"id": "another"}
    inside["params"]["context"]["result"][0]["value"] |= {"x": 50.5, "y": 27}
    assert first[0]["id"] != second[0]["id"]  # the discs of this test do not reach that far
    assert backend(inside)[0]["id"] == first[0]["id"]


def test_batch_without_prompts_plans_nothing():
    call = read_request(body("batch-three-tasks"))
    assert call.call is None
    assert len(call.tasks) == 3
    assert all(not plan_batch(call, task).images for task in call.tasks)


def test_batch_gives_each_box_of_a_detector_a_mask():
    raw = body("batch-three-tasks")
    box = copy.deepcopy(body("smart-rectangle")["params"]["context"]["result"][0])
    other = copy.deepcopy(box) | {"id": "other"}
    other["value"]["x"] = 10.0
    unknown = copy.deepcopy(box) | {"id": "unknown"}
    unknown["value"]["rectanglelabels"] = ["Zebra"]
    raw["tasks"][1]["predictions"] = [{"id": 1, "result": [box, other, unknown]}]
    call = read_request(raw)
    (image,) = plan_batch(call, call.tasks[1]).images
    assert [target.label for target in image.targets] == ["B", "B"]
    assert len({target.id for target in image.targets}) == 2
    assert not plan_batch(call, call.tasks[0]).images


def test_batch_joins_the_keypoints_of_a_label():
    raw = body("batch-three-tasks")
    raw["tasks"][0]["annotations"] = [
        {"id": 5, "result": body("negative-click")["params"]["context"]["result"]}
    ]
    call = read_request(raw)
    (image,) = plan_batch(call, call.tasks[0]).images
    (target,) = image.targets
    assert (len(target.clicks), len(image.background)) == (2, 1)


def test_batch_leaves_alone_what_has_its_mask_already():
    raw = body("batch-three-tasks")
    page = Backend(size=SIZE)
    clicked = body("first-click")["params"]["context"]["result"]
    accepted = page(body("first-click"))
    raw["tasks"][0]["annotations"] = [{"id": 5, "result": clicked + accepted}]
    call = read_request(raw)
    assert not plan_batch(call, call.tasks[0]).images


@pytest.mark.parametrize("region", ["its own", "another"])
def test_batch_gives_no_crumbs_around_the_mask_of_a_rectangle(region):
    raw = body("batch-three-tasks")
    rectangle = body("smart-rectangle")
    number = rectangle["tasks"][0]["id"]
    (accepted,) = Backend(size=SIZE)(rectangle)
    mask = brush_rle.decode(accepted["value"]["rle"], SIZE) > 127
    if region == "its own":  # corrected by hand since, so that its middle is free
        (across,) = np.nonzero(mask.any(0))
        mask[:, across[len(across) // 4] :] = False
    else:
        accepted["id"] = "of another model"
    accepted["value"]["rle"] = brush_rle.encode(mask)
    drawn = rectangle["params"]["context"]["result"]
    raw["tasks"] = [raw["tasks"][0] | {"id": number}]
    raw["tasks"][0]["annotations"] = [{"id": 5, "result": [*drawn, accepted]}]
    raw["project"] = rectangle["project"]
    call = read_request(raw)
    assert not plan_batch(call, call.tasks[0]).images


def _entries(call):
    task = call["tasks"][0]
    return [r for holder in (*task["drafts"], *task["annotations"]) for r in holder["result"]]
