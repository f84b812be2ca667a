"""Masks of every kind on their way into the annotation store."""

import numpy as np
import pytest

from backend.label_studio import config_writer, labeling_config
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.predict_request import Task
from backend.label_studio.region_writer import RegionWriter
from backend.serving.answer import AnsweredObject
from backend.session.bitmask import BitMask
from backend.session.regions import ImageKey
from backend.session.sketch import overlap, sketch
from training.annotation_store import Origin, encode_mask

SIZE = (40, 60)
IMAGE = ImageKey("image")


@pytest.fixture(params=sorted(config_writer.OUTPUTS))
def config(request):
    return labeling_config.parse(config_writer.write(["A", "B"], output=request.param))


def two_parts():
    mask = np.zeros(SIZE, bool)
    mask[2:20, 3:30] = mask[25:35, 40:50] = True
    return mask


def answer(config, mask):
    writer = RegionWriter(Task("1", config, {}), tolerance=0)
    stored = writer.as_stored(IMAGE, "dm1", "A", mask)
    return writer.write(AnsweredObject(IMAGE, "dm1", "A", stored, 0.9))


def taken(result, config, answers):
    found = read_masks(result, config, answers)
    assert found.rejections == []
    ((_, region),) = found.regions[IMAGE]
    return region


def answers(mask):
    bits = BitMask.of(mask)
    return {"dm1": {bits.digest: ["lite-1", 3, sketch(bits)]}}


def test_an_object_is_one_region_however_many_parts_it_has(config):
    region = taken(answer(config, two_parts()), config, {})
    assert (region.region_id, region.label) == ("dm1", "A")
    assert region.counts == encode_mask(two_parts())


def test_what_was_answered_is_known_as_unchanged(config):
    region = taken(answer(config, two_parts()), config, answers(two_parts()))
    assert (region.origin, region.model_version, region.clicks) == (Origin.UNCHANGED, "lite-1", 3)


def test_what_was_changed_by_hand_is_a_correction(config):
    corrected = two_parts()
    corrected[2:20, 3:12] = False
    region = taken(answer(config, corrected), config, answers(two_parts()))
    assert region.origin is Origin.CORRECTED


@pytest.mark.parametrize("output", ["polygon", "vector"])
def test_an_outline_whose_corners_moved_a_little_is_still_the_answer(output):
    config = labeling_config.parse(config_writer.write(["A"], output=output))
    rows, columns = np.ogrid[:40, :60]
    disk = np.hypot(rows - 20, columns - 30) < 17.3
    result = answer(config, disk)
    for raw in result:
        for corner in raw["value"].get("points", []):
            corner[0] += 0.6
        for vertex in raw["value"].get("vertices", []):
            vertex["x"] += 0.6
    region = taken(result, config, answers(disk))
    assert region.counts != encode_mask(disk)
    assert region.origin is Origin.UNCHANGED


def test_the_overlap_of_a_sketch_is_that_of_the_masks():
    mask = np.zeros((200, 300), bool)
    mask[20:120, 30:150] = True
    drawn = sketch(BitMask.of(mask))
    assert len(drawn) < 220
    assert overlap(drawn, BitMask.of(mask)) == 1
    wider = mask.copy()
    wider[20:120, 30:210] = True
    assert overlap(drawn, BitMask.of(wider)) == pytest.approx(2 / 3, abs=0.03)
    half = mask.copy()
    half[70:] = False
    assert overlap(drawn, BitMask.of(half)) == pytest.approx(0.5, abs=0.03)
    assert overlap(drawn, BitMask.of(np.zeros_like(mask))) == 0
    assert overlap("", BitMask.of(mask)) == overlap("1,2,3,4,x", BitMask.of(mask)) == 0
    assert overlap(sketch(BitMask.of(np.zeros((9, 9), bool))), BitMask.of(mask)) == 0


def test_without_an_answer_a_score_tells_that_it_was_suggested(config):
    result = answer(config, two_parts())
    assert taken(result, config, {}).origin is Origin.UNCHANGED
    for raw in result:
        raw.pop("score")
    assert taken(result, config, {}).origin is Origin.DRAWN


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"imageDataURL": "data:image/png;base64,iVBORw0KGgo="}, "bad_mask"),
        ({"imageDataURL": "iVBORw0KGgo="}, "bad_region"),
        ({"imageDataURL": 7}, "bad_region"),
        ({"points": [[1, 2]] * 100_001}, "bad_region"),
        ({"points": [[1, 2], [3, 4]]}, "bad_region"),
        ({"points": [[1, 2], [3, 4], [5, "6"]]}, "bad_region"),
        ({"points": [[1, 1], [1, 1], [1, 1]]}, "empty_mask"),
        ({"vertices": [{"x": 1, "y": 1}]}, "bad_region"),
        ({"vertices": "many"}, "bad_region"),
        ({}, "bad_region"),
    ],
)
def test_what_is_no_mask_is_set_aside(config, value, code):
    (raw, *_) = answer(config, two_parts())
    raw["value"] = {raw["type"]: ["A"], **value}
    found = read_masks([raw], config, {})
    assert [(r.code, r.region_id) for r in found.rejections] == [(code, "dm1")]


def test_a_mask_that_claims_more_pixels_than_memory_is_set_aside(config):
    for raw in (result := answer(config, two_parts())):
        raw["original_width"] = raw["original_height"] = 100_000
    found = read_masks(result, config, {})
    assert {r.code for r in found.rejections} == {"bad_mask"}
