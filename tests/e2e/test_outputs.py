"""Every kind of mask in the real product: the main flow, once for each."""

import time

import numpy as np
import pytest
from annotator import mask_of
from photo import CAKE, CUP, beside, by_label, inside, pixel

from backend.label_studio.config_writer import write
from backend.label_studio.kinds.table import BY_TYPE

pytestmark = pytest.mark.e2e

LABELS = ["Cake", "Cup"]


@pytest.fixture(params=["bitmask", "polygon", "vector"])
def output(request):
    return request.param


@pytest.fixture
def opened(demo, person, output):
    """A person on the photo of the cake, whose masks come as one kind."""
    project, (task,) = demo.project(config=write(LABELS, output=output))
    person.open_task(project, task)
    return person


def same(one, other):
    return one.id == other.id and one.labels == other.labels and (one.mask == other.mask).all()


def stored(demo, task):
    """The masks of the submitted annotation, by object."""
    deadline = time.monotonic() + 30
    while not (kept := demo.api.get(f"/api/tasks/{task}/annotations")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return [one for one in kept[0]["result"] if one["type"] in BY_TYPE]


def refine(person, output, region):
    """Take a place away from an accepted mask, or ask for it anew where no click is taken."""
    (label,) = region.labels
    if output == "polygon":
        person.click(label, *inside(region.mask, CUP), negative=True, inside=True)
        return
    height, width = region.mask.shape
    rows, columns = np.nonzero(region.mask)
    left, right = columns.min() / width * 100 - 1, columns.max() / width * 100 + 1
    top, bottom = rows.min() / height * 100 - 1, rows.max() / height * 100 + 1
    person.box(label, max(left, 0.5), max(top, 0.5), min(right, 99.5), min(bottom, 99.5))


def test_two_labels_are_accepted_refined_in_place_and_submitted(demo, opened, output):
    opened.click("Cake", *CAKE)
    opened.click("Cup", *CUP)
    shown = by_label(opened.suggestions())
    assert pixel(shown["Cake"].mask, CAKE) and pixel(shown["Cup"].mask, CUP)
    opened.accept_all()
    accepted = by_label(opened.regions())
    assert all(same(accepted[label], shown[label]) for label in LABELS)

    opened.wait_until_saved(demo.api, opened.task, masks=2, clicks=0)  # else both may change
    refine(opened, output, accepted["Cup"])
    change = by_label(opened.suggestions())["Cup"]
    assert change.id == accepted["Cup"].id
    opened.accept_all()
    changed = by_label(opened.regions())
    assert same(changed["Cup"], change)
    assert same(changed["Cake"], accepted["Cake"])
    opened.undo()
    opened.browser.until(
        lambda: same(by_label(opened.regions())["Cup"], accepted["Cup"]), "the undo"
    )

    opened.submit()
    kept = stored(demo, opened.task)
    assert {one["type"] for one in kept} == {f"{output}labels"}
    for region in accepted.values():
        parts = [one for one in kept if one["id"].partition("~")[0] == region.id]
        assert (sum(map(mask_of, parts)).astype(bool) == region.mask).all()


def test_auto_accept_updates_in_place(opened, output):
    opened.auto_accept(on=True)
    try:
        opened.click("Cup", *CUP)
        (first,) = opened.regions()
        refine(opened, output, first)
        (second,) = opened.regions()
        assert second.id == first.id
    finally:
        opened.auto_accept(on=False)


def test_a_reloaded_page_goes_on_with_the_same_object(demo, opened, output):
    opened.click("Cup", *CUP)
    opened.accept_all()
    (cup,) = opened.regions()
    opened.wait_until_saved(demo.api, opened.task, masks=1)
    project = demo.api.get(f"/api/tasks/{opened.task}")["project"]
    opened.open_task(project, opened.task)
    opened.click("Cake", *beside(cup.mask))
    (cake,) = opened.suggestions()
    assert cake.labels == ("Cake",)
    opened.accept_all()
    refine(opened, output, cup)
    assert by_label(opened.suggestions())["Cup"].id == cup.id


def test_what_is_erased_by_hand_stays_erased(demo, person):
    project, (task,) = demo.project(config=write(LABELS, output="bitmask"))
    person.open_task(project, task)
    person.click("Cake", *CAKE)
    person.accept_all()
    (cake,) = person.regions()
    person.erase((CAKE[0] - 3, CAKE[1]), (CAKE[0] + 3, CAKE[1]), cake.id)
    person.browser.until(
        lambda: not pixel(person.regions()[0].mask, CAKE), "the stroke of the eraser"
    )
    (erased,) = person.regions()
    assert erased.id == cake.id
    person.wait_until_saved(demo.api, task, masks=1)
    person.browser.until(
        lambda: not pixel(person.saved_mask(demo.api, task, cake.id), CAKE), "the draft"
    )
    person.click("Cup", *CUP)
    (cup,) = person.suggestions()
    assert not (cup.mask & erased.mask).any()
    person.accept_all()
    (kept,) = [region for region in person.regions() if region.id == cake.id]
    assert (kept.mask == erased.mask).all()


MIXED = """<View><Image name="image" value="$image" zoom="true"/>
<KeyPointLabels name="click" toName="image" smart="true">
  <Label value="Cake"/><Label value="Cup"/><Label value="Fork"/></KeyPointLabels>
<BitmaskLabels name="mask" toName="image" smart="false"><Label value="Cake"/></BitmaskLabels>
<PolygonLabels name="outline" toName="image" smart="false"><Label value="Cup"/></PolygonLabels>
<BrushLabels name="brush" toName="image" smart="false"><Label value="Fork"/></BrushLabels></View>"""


def test_each_label_has_its_own_kind(demo, person):
    project, (task,) = demo.project(config=MIXED)
    person.open_task(project, task)
    person.click("Cake", *CAKE)
    person.click("Cup", *CUP)
    shown = by_label(person.suggestions())
    person.accept_all()
    accepted = by_label(person.regions())
    assert all(same(accepted[label], shown[label]) for label in LABELS)
    person.submit()
    types = {one["id"].partition("~")[0]: one["type"] for one in stored(demo, task)}
    assert types == {
        accepted["Cake"].id: "bitmasklabels",
        accepted["Cup"].id: "polygonlabels",
    }


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
        for number, (label, (x, y)) in enumerate((("Cake", CAKE), ("Cup", CUP)))
    ]
    detected = {"task": task, "model_version": "detector", "result": points}
    demo.api.post("/api/predictions", detected)
    action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
    demo.api.post(action, {"selectedItems": {"all": False, "included": [task]}})
    found = [
        (one["type"], one["value"][one["type"]])
        for prediction in demo.api.get(f"/api/predictions?task={task}")
        for one in prediction["result"]
        if one["type"] in BY_TYPE and "~" not in one["id"]
    ]
    assert sorted(found) == [("bitmasklabels", ["Cake"]), ("polygonlabels", ["Cup"])]


PAIR = """<View><Image name="image" value="$image" zoom="true"/>
<KeyPointLabels name="click" toName="image" smart="true">
  <Label value="Cake"/><Label value="Cup"/></KeyPointLabels>
<Labels name="what" toName="image"><Label value="Cake"/><Label value="Cup"/></Labels>
<{} name="shape" toName="image" smart="false"/></View>"""


@pytest.mark.parametrize("name", ["Brush", "Bitmask", "Polygon"])
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
    kept = stored(demo, task)
    assert {one["type"] for one in kept} == {name.lower()}
    assert {one["id"].partition("~")[0] for one in kept} == {r.id for r in accepted.values()}
