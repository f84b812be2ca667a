from dataclasses import dataclass

import numpy as np

from backend.serving.answer import compose_answer
from backend.session.answer_plan import (
    AnswerPlan,
    FractionalClick,
    ImagePlan,
    RepeatedMask,
    Target,
)
from backend.session.bitmask import BitMask
from backend.session.composing import compose
from backend.session.prompts import Box
from backend.session.regions import ImageKey

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
    return Segmented(owners, np.linspace(0.5, 0.9, len(masks)))


def click_at(y, x):
    return FractionalClick((x + 0.5) / 30, (y + 0.5) / 20)


def target(name="a", label="A", at=(5, 5), **more):
    return Target(name, label, (click_at(*at),), **more)


def composed(plan, *masks):
    found = compose(plan, segmented(*masks) if masks else None)
    return {one.id: one.mask for one in found}


def answer(plan, *masks, accepts=lambda image, label: True):
    return compose_answer(AnswerPlan((plan,)), {IMAGE: segmented(*masks)}, accepts, "v1")


def test_an_answer_holds_masks_digests_and_scores():
    plan = ImagePlan(
        IMAGE, (target(),), repeats=(RepeatedMask("b", "B", BitMask.of(area(0, 0, 1, 1))),)
    )
    found = answer(plan, area(2, 2, 9, 9))
    repeated, segmented_one = found.objects
    assert (segmented_one.id, segmented_one.score, found.score) == ("a", 0.5, 0.5)
    assert (repeated.id, repeated.score) == ("b", None)
    assert repeated.digest != segmented_one.digest
    assert found.version == "v1"


def test_masks_give_way_to_fixed_ones_and_to_repeats():
    plan = ImagePlan(
        IMAGE,
        (target(),),
        repeats=(RepeatedMask("b", "B", BitMask.of(area(0, 0, 20, 5))),),
        fixed=(BitMask.of(area(0, 0, 4, 30)),),
    )
    masks = composed(plan, area(2, 2, 9, 9))
    assert (masks["a"] == area(4, 5, 9, 9)).all()
    assert (masks["b"] == area(4, 0, 20, 5)).all()


def test_fixed_mask_of_another_size_is_scaled():
    plan = ImagePlan(IMAGE, (target(),), fixed=(BitMask.of(area(0, 0, 4, 30, (40, 60))),))
    assert (composed(plan, area(0, 0, 9, 9))["a"] == area(2, 0, 9, 9)).all()


def test_repeats_alone_need_no_model():
    plan = ImagePlan(IMAGE, repeats=(RepeatedMask("b", "B", BitMask.of(area(1, 1, 3, 3))),))
    assert list(composed(plan)) == ["b"]


def test_object_without_a_pixel_is_not_answered():
    plan = ImagePlan(IMAGE, (target(), target("b", "B")), fixed=(BitMask.of(area(0, 0, 9, 9)),))
    found = answer(plan, area(2, 2, 5, 5), area(12, 12, 15, 15))
    assert [one.id for one in found.objects] == ["b"]


def test_label_that_the_tool_cannot_show_is_not_answered():
    plan = ImagePlan(IMAGE, (target(label="Zebra"),))
    found = answer(plan, area(2, 2, 9, 9), accepts=lambda image, label: label != "Zebra")
    assert found.objects == ()


def test_mask_stays_inside_its_outline():
    box = Box("r", "A", IMAGE, 0.1, 0.1, 0.5, 0.5)
    mask = composed(ImagePlan(IMAGE, (target(outline=box),)), area(0, 0, 20, 30))["a"]
    assert (mask == area(2, 3, 12, 18)).all()


def test_kept_mask_changes_only_where_it_is_clicked():
    kept = area(2, 2, 10, 10)
    add, remove = click_at(5, 12), click_at(9, 3)
    predicted = area(2, 2, 9, 14) | area(15, 20, 18, 25)
    asked = Target("a", "A", (add,), keep=BitMask.of(kept), fresh=(add, remove))
    mask = composed(ImagePlan(IMAGE, (asked,)), predicted)["a"]
    assert (mask == (area(2, 2, 9, 14))).all()
    only_added = Target("a", "A", (add,), keep=BitMask.of(kept), fresh=(add,))
    mask = composed(ImagePlan(IMAGE, (only_added,)), predicted)["a"]
    assert (mask == (kept | area(2, 2, 9, 14))).all()


def test_a_corrected_mask_and_its_neighbour_do_not_overlap():
    """The model gives pixels of the kept mask to the neighbour: they stay with the kept one."""
    kept = area(2, 2, 12, 12)
    asked = Target("a", "A", (click_at(4, 4),), keep=BitMask.of(kept), fresh=())
    plan = ImagePlan(IMAGE, (target("b", "B", at=(8, 20)), asked))
    masks = composed(plan, area(7, 7, 15, 25), area(2, 2, 6, 6))
    assert (masks["a"] == kept).all()
    assert masks["b"].any()
    assert not (masks["a"] & masks["b"]).any()


def test_prompt_stroke_stays_in_the_mask_it_turns_into():
    stroke = area(5, 2, 6, 28)
    asked = target(keep=BitMask.of(stroke), scribble=True)
    mask = composed(ImagePlan(IMAGE, (asked,)), area(2, 8, 9, 20))["a"]
    assert (mask == (stroke | area(2, 8, 9, 20))).all()
