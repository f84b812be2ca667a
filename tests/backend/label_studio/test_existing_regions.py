"""Masks that lie on the page: what of them an answer must keep."""

import numpy as np
import pytest

from dynamite import brush_rle
from dynamite.errors import InvalidInputError
from tests.backend.served import a_click, a_task

SIZE = (400, 600)
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <KeyPointLabels name="click" toName="image"><Label value="A"/><Label value="B"/></KeyPointLabels>
  <BrushLabels name="mask" toName="image" choice="multiple">
    <Label value="A"/><Label value="B"/>
  </BrushLabels>
  <BrushLabels name="second" toName="image"><Label value="A"/><Label value="C"/></BrushLabels>
</View>"""


def area(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def brush(mask, labels, *, name="mask", kind="brushlabels"):
    value = {"format": "rle", "rle": brush_rle.encode(mask)}
    if kind == "brushlabels":
        value[kind] = labels
    return {
        "original_width": SIZE[1],
        "original_height": SIZE[0],
        "image_rotation": 0,
        "id": "old",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "value": value,
    }


def task_with(*regions, kind="drafts", saved="2026-11-22T07:00:00Z"):
    one = {"id": 1, "completed_by": 1, "updated_at": saved, "result": list(regions)}
    return a_task() | {kind: [one]}


def tags(region):
    return region["id"], region["from_name"], region["value"]["brushlabels"]


@pytest.mark.parametrize("kind", ["drafts", "annotations"])
@pytest.mark.parametrize(
    ("labels", "name"), [(["A", "B"], "mask"), (["A"], "second"), (["A", "C"], "second")]
)
def test_region_keeps_its_labels_and_its_tag(backend, labels, name, kind):
    task = task_with(brush(area(150, 150, 250, 250), labels, name=name), kind=kind)
    (region,) = backend.result(a_click("A", 200, 200), task=task, config=CONFIG)
    assert tags(region) == ("old", name, labels)


def test_last_masks_after_a_failure_keep_them_too(backend):
    task = task_with(brush(area(150, 150, 250, 250), ["A", "B"]))
    backend.result(a_click("A", 200, 200), task=task, config=CONFIG)
    backend.predictor.fail = InvalidInputError("no")
    clicks = a_click("A", 200, 200), a_click("A", 220, 200)
    (region,) = backend.result(*clicks, task=task, config=CONFIG)
    assert tags(region) == ("old", "mask", ["A", "B"])


def test_draft_is_ahead_of_the_annotation_it_changes(backend):
    task = task_with(brush(area(150, 150, 250, 250), ["A", "B"]), kind="annotations")
    task |= {"drafts": task_with(brush(area(150, 150, 250, 250), ["A"], name="second"))["drafts"]}
    (region,) = backend.result(a_click("A", 200, 200), task=task, config=CONFIG)
    assert tags(region) == ("old", "second", ["A"])


def test_tag_that_the_config_has_no_more_is_replaced(backend):
    task = task_with(brush(area(150, 150, 250, 250), ["A"], name="away"))
    (region,) = backend.result(a_click("A", 200, 200), task=task, config=CONFIG)
    assert tags(region) == ("old", "mask", ["A"])


def test_new_region_has_the_label_of_the_click_alone(backend):
    task = task_with(brush(area(10, 10, 50, 50), ["A", "B"], name="second"))
    (region,) = backend.result(a_click("A", 300, 300), task=task, config=CONFIG)
    assert region["id"] != "old"
    assert tags(region)[1:] == ("mask", ["A"])


@pytest.mark.parametrize("kind", ["drafts", "annotations"])
@pytest.mark.parametrize("form", ["no labels", "plain brush", "plain strokes"])
def test_mask_without_a_label_keeps_its_pixels(backend, form, kind):
    painted = area(150, 150, 250, 250)
    raw = brush(painted, [], kind="brushlabels" if form == "no labels" else "brush")
    if form == "plain strokes":
        del raw["value"]["rle"]
        stroke = {"type": "add", "relativePoints": [30, 50, 40, 50], "relativeStrokeWidth": 10}
        raw["value"]["touches"] = [stroke]
        painted = area(190, 180, 210, 240)
    beside = a_click("A", 265, 200)
    (alone,) = backend.result(beside, config=CONFIG, task=a_task(2))
    assert (brush_rle.decode(alone["value"]["rle"], SIZE)[painted] > 127).any()
    (region,) = backend.result(beside, config=CONFIG, task=task_with(raw, kind=kind))
    assert region["id"] != "old"
    assert not (brush_rle.decode(region["value"]["rle"], SIZE)[painted] > 127).any()


def test_click_in_a_mask_without_a_label_is_not_for_it(backend):
    task = task_with(brush(area(150, 150, 250, 250), []))
    assert backend.result(a_click("A", 200, 200), task=task, config=CONFIG) == []


@pytest.mark.parametrize("turned", [1, -1])
def test_label_a_second_tag_gives_to_a_region_counts(backend, turned):
    bare = brush(area(150, 150, 250, 250), [])
    both = [bare, brush(area(150, 150, 250, 250), ["A"], name="second")][::turned]
    (region,) = backend.result(a_click("A", 200, 200), task=task_with(*both), config=CONFIG)
    assert tags(region) == ("old", "second", ["A"])
