"""Keypoints and rectangles that nobody drew to get a mask: landmarks, regions of interest."""

import numpy as np
import pytest

from backend.label_studio.batch import plan_batch
from backend.label_studio.predict_request import read_request
from dynamite import brush_rle
from tests.backend.session.page_model import Backend

SIZE = (60, 90)
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <KeyPointLabels name="click" toName="image">
    <Label value="A"/><Label value="B"/><Label value="landmark"/><Label value="Background"/>
  </KeyPointLabels>
  <KeyPointLabels name="pin" toName="image" smart="false"><Label value="A"/></KeyPointLabels>
  <RectangleLabels name="box" toName="image"><Label value="B"/></RectangleLabels>
  <RectangleLabels name="roi" toName="image" smart="false">
    <Label value="Region of interest"/><Label value="A"/><Label value="B"/>
  </RectangleLabels>
  <BrushLabels name="mask" toName="image"><Label value="A"/><Label value="B"/></BrushLabels>
</View>"""


def region(name, kind, label, **value):
    return {
        "original_width": SIZE[1],
        "original_height": SIZE[0],
        "id": f"{name}-{label}-{value['x']}-{value['y']}",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "value": {**value, kind: [label]},
    }


def point(label, x, y, *, name="click"):
    """At pixel x, y."""
    return region(name, "keypointlabels", label, x=100 * x / 90, y=100 * y / 60)


def box(label, x, y, *, name="roi", side=20):
    size = {"width": 100 * side / 90, "height": 100 * side / 60, "rotation": 0}
    return region(name, "rectanglelabels", label, x=100 * x / 90, y=100 * y / 60, **size)


def body(*context, draft=(), kind="drafts"):
    saved = {"id": 1, "completed_by": 1, "updated_at": "2026", "result": [*draft, *context]}
    return {
        "tasks": [{"id": 7, "data": {"image": "a.png"}, kind: [saved]}],
        "project": "1.1",
        "label_config": CONFIG,
        "params": {"context": {"result": list(context)}},
    }


def masks(result):
    return {
        r["value"]["brushlabels"][0]: brush_rle.decode(r["value"]["rle"], SIZE) > 127
        for r in result
    }


@pytest.mark.parametrize("kind", ["drafts", "annotations"])
@pytest.mark.parametrize(
    "ordinary",
    [
        [box("Region of interest", 20, 15, side=30)],
        [point("landmark", 40, 28), point("landmark", 34, 35)],
        [box("B", 30, 20), box("B", 60, 10)],
        [box("A", 60, 10)],
        [point("A", 70, 30, name="pin")],
    ],
    ids=["region of interest", "landmarks", "boxes", "box of the label", "pin of the label"],
)
def test_what_asks_for_no_mask_takes_none_and_gets_none(ordinary, kind):
    click = point("A", 35, 30)
    if ordinary[0]["from_name"] == "pin":
        click = box("B", 20, 20, name="box")
    alone = masks(Backend(size=SIZE)(body(click)))
    found = masks(Backend(size=SIZE)(body(click, draft=ordinary, kind=kind)))
    assert found.keys() == alone.keys()
    for label, mask in found.items():
        assert (mask == alone[label]).all()


def test_what_a_smart_tag_made_still_asks():
    others = [box("B", 60, 10, name="box"), point("Background", 38, 30)]
    alone = masks(Backend(size=SIZE)(body(point("A", 35, 30))))
    found = masks(Backend(size=SIZE)(body(point("A", 35, 30), draft=others)))
    assert set(found) == {"A", "B"}
    assert np.count_nonzero(found["A"]) < np.count_nonzero(alone["A"])


def test_tag_the_config_does_not_know_is_taken_for_smart():
    imported = [box("B", 60, 10, name="detector")]
    assert set(masks(Backend(size=SIZE)(body(point("A", 35, 30), draft=imported)))) == {"A", "B"}


def test_what_the_call_itself_names_stays():
    pin, click = point("A", 20, 30, name="pin"), point("A", 60, 30)
    call = body(pin, click)
    asked = read_request(call).call
    assert [entry.id for entry in asked.context] == [pin["id"], click["id"]]
    assert list(asked.drafts[0].prompts) == [pin["id"], click["id"]]
    assert masks(Backend(size=SIZE)(call))["A"][30, [20, 60]].all()


def test_batch_still_gives_ordinary_boxes_their_masks():
    raw = body(kind="annotations", draft=[box("B", 30, 20), box("Region of interest", 5, 5)])
    raw["params"]["context"] = None
    call = read_request(raw)
    (image,) = plan_batch(call, call.tasks[0]).images
    assert [target.label for target in image.targets] == ["B"]
