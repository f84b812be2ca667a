"""Calls and results recorded from Label Studio 1.23.2 with masks of every kind."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.label_studio import labeling_config
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.region_reader import read_region
from backend.session.paint import Paint
from tests.backend.session.page_model import Backend, Page

CAPTURES = Path(__file__).parent.parent / "captures"
SIZE = (400, 600)


def capture(name):
    return json.loads((CAPTURES / f"outputs-{name}.json").read_text())


@pytest.fixture(params=["bitmask", "polygon"])
def call(request):
    return capture(f"{request.param}-two-regions")["request"]["body"]


def in_full(regions):
    return {r["id"]: read_region(r).pixels() for r in regions}


def test_a_click_beside_an_accepted_region_of_the_page_leaves_it_alone(call):
    (accepted,) = call["tasks"][0]["drafts"][0]["result"]
    before = in_full([accepted])[accepted["id"]]
    (answered,) = Backend(size=SIZE)(call)
    assert answered["id"] != accepted["id"]
    assert answered["type"] == accepted["type"]
    assert Page.label(answered) == "B"
    assert not (in_full([answered])[answered["id"]] & before).any()


def test_a_click_in_an_accepted_region_of_the_page_changes_it_in_place(call):
    (accepted,) = call["tasks"][0]["drafts"][0]["result"]
    before = in_full([accepted])[accepted["id"]]
    rows, columns = np.nonzero(before)
    middle = columns.mean() / 6, rows.mean() / 4
    (clicked,) = call["params"]["context"]["result"]
    clicked["value"] |= {"x": middle[0], "y": middle[1], "keypointlabels": ["A"], "labels": ["A"]}
    clicked["is_positive"] = False
    (answered,) = Backend(size=SIZE)(call)
    assert answered["id"] == accepted["id"]
    after = in_full([answered])[answered["id"]]
    assert (after != before).any()
    assert not after[int(4 * middle[1]), int(6 * middle[0])]


def test_a_bitmask_corrected_by_hand_is_read_above_half_of_its_alpha():
    found = [read_region(raw) for raw in capture("bitmask-draft-hand-edited")["result"]]
    assert [painted.id for painted in found] == ["o1", "HKmBTqrx1m"]
    for painted in found:
        assert isinstance(painted, Paint)
        assert painted.pixels().shape == SIZE
        assert painted.pixels().any() and not painted.pixels().all()


def test_five_kinds_of_region_in_one_annotation_are_taken_but_for_the_box():
    config = labeling_config.parse(capture("mixed-five-types")["request"]["body"]["label_config"])
    accepted = read_masks(capture("mixed-annotation")["result"], config, {})
    assert accepted.rejections == []
    ((_, regions),) = accepted.regions.items()
    assert [(region.region_id, region.label) for _, region in regions] == [
        ("m1", "A"),
        ("m2", "B"),
        ("m3", "A"),
        ("m4", "B"),
    ]
    assert all(size == SIZE and region.area > 1000 for size, region in regions)


def test_vertices_under_polygonlabels_are_a_mask():
    """So a page stores a polygon that it has traced itself."""
    (raw,) = [r for r in capture("mixed-annotation")["result"] if r["id"] == "m4"]
    before = read_region(raw).pixels()
    raw["type"] = "polygonlabels"
    raw["value"] |= {"polygonlabels": ["A"], "closed": False}
    assert (read_region(raw).pixels() == before).all()


def test_objects_of_one_answer_go_to_the_first_tag_with_their_label():
    call = capture("mixed-five-types")["request"]["body"]
    assert {r["type"] for r in Backend(size=SIZE)(call)} == {"brushlabels"}
    call["label_config"] = call["label_config"].replace("BrushLabels", "View")
    result = Backend(size=SIZE)(call)
    assert {r["type"] for r in result} == {"bitmasklabels"}
