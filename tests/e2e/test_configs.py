"""Several kinds of mask, and labels in a tag of their own, in the real product."""

import pytest
from photo import CAKE, CUP, FREE, by_label
from same import as_answered, same

from backend.label_studio.kinds.table import BY_TYPE

pytestmark = pytest.mark.e2e

LABELS = ["Cake", "Cup"]

MIXED = """<View><Image name="image" value="$image" zoom="true"/>
<KeyPointLabels name="click" toName="image" smart="true">
  <Label value="Cake"/><Label value="Cup"/><Label value="Plate"/><Label value="Table"/>
</KeyPointLabels>
<BitmaskLabels name="mask" toName="image" smart="false"><Label value="Cake"/></BitmaskLabels>
<PolygonLabels name="outline" toName="image" smart="false"><Label value="Cup"/></PolygonLabels>
<BrushLabels name="brush" toName="image" smart="false"><Label value="Plate"/></BrushLabels>
<VectorLabels name="path" toName="image" smart="false" closable="true"><Label value="Table"/>
</VectorLabels></View>"""

PLACES = {"Cake": CAKE, "Cup": CUP, "Plate": (23.0, 83.0), "Table": FREE}
KINDS = {
    "Cake": "bitmasklabels",
    "Cup": "polygonlabels",
    "Plate": "brushlabels",
    "Table": "vectorlabels",
}


def test_each_label_has_its_own_kind(demo, person):
    project, (task,) = demo.project(config=MIXED)
    person.open_task(project, task)
    for label, place in PLACES.items():
        person.click(label, *place)
    shown = by_label(person.suggestions())
    answered = person.answered()
    person.accept_all()
    accepted = by_label(person.regions())
    assert all(same(accepted[label], shown[label]) for label in PLACES)
    person.submit()
    kept = demo.submitted(task, objects=4)
    assert {one["value"][one["type"]][0]: one["type"] for one in kept} == KINDS
    assert as_answered(kept, answered)


def test_a_batch_brings_masks_of_each_labels_kind(demo):
    """Points that a detector predicted become masks when predictions are retrieved."""
    project, (task,) = demo.project(config=MIXED)
    points = [
        {
            "id": f"p{number}",
            "type": "keypointlabels",
            "from_name": "click",
            "to_name": "image",
            "original_width": 640,
            "original_height": 481,
            "value": {"x": x, "y": y, "width": 0.3, "keypointlabels": [label]},
        }
        for number, (label, (x, y)) in enumerate(PLACES.items())
    ]
    detected = {"task": task, "model_version": "detector", "result": points}
    demo.api.post("/api/predictions", detected)
    action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
    demo.api.post(action, {"selectedItems": {"all": False, "included": [task]}})
    found = {
        one["value"][one["type"]][0]: one["type"]
        for prediction in demo.api.get(f"/api/predictions?task={task}")
        for one in prediction["result"]
        if one["type"] in BY_TYPE
    }
    assert found == KINDS


PAIR = """<View><Image name="image" value="$image" zoom="true"/>
<KeyPointLabels name="click" toName="image" smart="true">
  <Label value="Cake"/><Label value="Cup"/></KeyPointLabels>
<Labels name="what" toName="image"><Label value="Cake"/><Label value="Cup"/></Labels>
<{} name="shape" toName="image" smart="false"/></View>"""


@pytest.mark.parametrize("name", ["Brush", "Bitmask", "Polygon", "Vector"])
def test_labels_may_stand_in_a_tag_of_their_own(demo, person, name):
    project, (task,) = demo.project(config=PAIR.format(name))
    person.open_task(project, task)
    person.click("Cake", *CAKE)
    person.click("Cup", *CUP)
    shown = by_label(person.suggestions())
    person.accept_all()
    accepted = by_label(person.regions())
    assert all(same(accepted[label], shown[label]) for label in LABELS)
    person.submit()
    kept = demo.submitted(task, objects=2)
    assert {one["type"] for one in kept} == {name.lower()}
    assert {one["id"].partition("~")[0] for one in kept} == {r.id for r in accepted.values()}
