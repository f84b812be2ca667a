import math
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.label_studio import labeling_config, region_writer
from backend.session.answer_plan import ImagePlan, Plan, Repeat, Tap, Target
from backend.session.bitmask import BitMask
from backend.session.call import ImageKey, Kind, Prompt
from dynamite import brush_rle

CONFIG = labeling_config.parse(labeling_config.write(["A", "B"]))
IMAGE = ImageKey("image")
SHAPE = (20, 30)


@dataclass
class Segmented:
    label_map: np.ndarray
    scores: np.ndarray


def area(top, left, bottom, right, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def segmented(*masks):
    owners = np.full(SHAPE, -1, np.int16)
    for index, mask in enumerate(masks):
        owners[mask] = index
    return {IMAGE: Segmented(owners, np.linspace(0.5, 0.9, len(masks)))}


def target(name="a", label="A", at=(5, 5), **more):
    y, x = at
    return Target(name, label, (Tap((x + 0.5) / 30, (y + 0.5) / 20),), **more)


def decoded(answer):
    return {r["id"]: brush_rle.decode(r["value"]["rle"], SHAPE) > 0 for r in answer.result}


def answer(plan, *masks):
    return region_writer.answer(Plan((plan,)), segmented(*masks), CONFIG)


def test_region_remembers_what_it_shows():
    found = answer(ImagePlan(IMAGE, (target(),)), area(2, 2, 9, 9))
    (region,) = found.result
    assert (found.masks["a"].array() == decoded(found)["a"]).all()
    assert region["score"] == found.score == 0.5
    assert found.digests.keys() == {"a"}


def test_masks_give_way_to_frozen_ones_and_to_repeats():
    plan = ImagePlan(
        IMAGE,
        (target(),),
        repeats=(Repeat("b", "B", BitMask.of(area(0, 0, 20, 5))),),
        frozen=(BitMask.of(area(0, 0, 4, 30)),),
    )
    masks = decoded(answer(plan, area(2, 2, 9, 9)))
    assert (masks["a"] == area(4, 5, 9, 9)).all()
    assert (masks["b"] == area(4, 0, 20, 5)).all()


def test_frozen_mask_of_another_size_is_scaled():
    plan = ImagePlan(IMAGE, (target(),), frozen=(BitMask.of(area(0, 0, 4, 30, (40, 60))),))
    assert (decoded(answer(plan, area(0, 0, 9, 9)))["a"] == area(2, 0, 9, 9)).all()


def test_repeats_alone_need_no_model():
    plan = Plan((ImagePlan(IMAGE, repeats=(Repeat("b", "B", BitMask.of(area(1, 1, 3, 3))),)),))
    found = region_writer.answer(plan, {}, CONFIG)
    assert [r["id"] for r in found.result] == ["b"]
    assert "score" not in found.result[0]


def test_object_without_a_pixel_has_no_region():
    plan = ImagePlan(IMAGE, (target(), target("b", "B")), frozen=(BitMask.of(area(0, 0, 9, 9)),))
    assert list(decoded(answer(plan, area(2, 2, 5, 5), area(12, 12, 15, 15)))) == ["b"]


def test_mask_stays_inside_its_rectangle():
    box = Prompt("r", "A", IMAGE, 0.1, 0.1, None, 0.5, 0.5, kind=Kind.BOX)
    mask = decoded(answer(ImagePlan(IMAGE, (target(box=box),)), area(0, 0, 20, 30)))["a"]
    assert (mask == area(2, 3, 12, 18)).all()


def test_rectangle_may_be_turned():
    box = Prompt("r", "A", IMAGE, 0.5, 0.1, None, 0.3, 0.3, 45, Kind.BOX)
    mask = decoded(answer(ImagePlan(IMAGE, (target(box=box),)), area(0, 0, 20, 30)))["a"]
    assert mask[8, 15]
    assert not mask[2, 20]
    assert 40 < mask.sum() < 70


EDGES = st.sampled_from([0.0, 0.05, 0.5, 1.0]) | st.floats(-0.5, 1.2)
SIDES = st.sampled_from([0.05, 0.5, 1.0]) | st.floats(0.001, 2)


@given(x=EDGES, y=EDGES, width=SIDES, height=SIDES, turn=st.just(0.0) | st.floats(-400, 400))
def test_pixels_of_a_rectangle_are_those_whose_centers_lie_in_it(x, y, width, height, turn):
    box = Prompt("r", "A", IMAGE, x, y, None, width, height, turn, Kind.BOX)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    right, down = columns - x * SHAPE[1], rows - y * SHAPE[0]
    angle = math.radians(turn)
    along = right * math.cos(angle) + down * math.sin(angle)
    across = down * math.cos(angle) - right * math.sin(angle)
    expected = (along >= 0) & (along < width * SHAPE[1])
    expected &= (across >= 0) & (across < height * SHAPE[0])
    found = decoded(answer(ImagePlan(IMAGE, (target(box=box),)), area(0, 0, *SHAPE)))
    assert (found.get("a", area(0, 0, 0, 0)) == expected).all()


@pytest.mark.parametrize("turn", [0, 5])
def test_a_rectangle_of_a_large_photo_takes_a_few_bytes_a_pixel(turn):
    height, width = shape = (600, 1000)
    box = Prompt("r", "A", IMAGE, 0, 0, None, 1, 1, turn, Kind.BOX)
    whole = Segmented(np.zeros(shape, np.int16), np.array([0.5]))
    plan = Plan((ImagePlan(IMAGE, (target(box=box),)),))
    tracemalloc.start()
    try:
        region_writer.answer(plan, {IMAGE: whole}, CONFIG)
        assert tracemalloc.get_traced_memory()[1] < 16 * height * width
    finally:
        tracemalloc.stop()


def test_kept_mask_changes_only_where_it_is_clicked():
    kept = area(2, 2, 10, 10)
    add, remove = Tap(12.5 / 30, 5.5 / 20), Tap(3.5 / 30, 9.5 / 20)
    predicted = area(2, 2, 9, 14) | area(15, 20, 18, 25)
    asked = Target("a", "A", (add,), keep=BitMask.of(kept), fresh=(add, remove))
    mask = decoded(answer(ImagePlan(IMAGE, (asked,)), predicted))["a"]
    assert (mask == (area(2, 2, 9, 14))).all()
    only_added = Target("a", "A", (add,), keep=BitMask.of(kept), fresh=(add,))
    mask = decoded(answer(ImagePlan(IMAGE, (only_added,)), predicted))["a"]
    assert (mask == (kept | area(2, 2, 9, 14))).all()


def test_prompt_stroke_stays_in_the_mask_it_turns_into():
    stroke = area(5, 2, 6, 28)
    asked = target(keep=BitMask.of(stroke), scribble=True)
    mask = decoded(answer(ImagePlan(IMAGE, (asked,)), area(2, 8, 9, 20)))["a"]
    assert (mask == (stroke | area(2, 8, 9, 20))).all()


def test_second_image_of_a_task_says_which_it_is():
    image = ImageKey("image", 1)
    (found,) = segmented(area(2, 2, 9, 9)).values()
    plan = Plan((ImagePlan(image, (target(),)),))
    assert region_writer.answer(plan, {image: found}, CONFIG).result[0]["item_index"] == 1


def test_label_without_a_brush_is_left_out():
    assert answer(ImagePlan(IMAGE, (target(label="Zebra"),)), area(2, 2, 9, 9)).result == []


def test_list_of_images_says_which_one_also_of_the_first():
    xml = labeling_config.write(["A"]).replace('value="$image"', 'valueList="$pages"')
    found = region_writer.answer(
        Plan((ImagePlan(IMAGE, (target(),)),)),
        segmented(area(2, 2, 9, 9)),
        labeling_config.parse(xml),
    )
    assert found.result[0]["item_index"] == 0
