"""Every call of the next editor that has been seen, in the same shape, and what it is answered."""

from types import SimpleNamespace

import numpy as np
import pytest
from redis import Redis

from backend.label_studio.config_writer import write
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.labeling_config import parse
from backend.serving.answer_log import recall
from backend.session.regions import ImageKey
from tests.backend.label_studio.next.bodies import (
    CONFIG,
    HEIGHT,
    WIDTH,
    a_body,
    a_draft,
    an_accepted,
    an_annotation,
    box,
    mask_of,
    points,
    region_mask,
)
from tests.fakes import RADIUS
from training.annotation_store import Origin

EMPTY = {"results": [{"result": []}]}


@pytest.fixture
def call(backend):
    """The answer to a call, whatever its status."""
    return lambda context, **more: backend.client.post("/predict", json=a_body(context, **more))


@pytest.fixture
def mask(call):
    """The mask answered to a call."""

    def answered(context, **more):
        answer = call(context, **more)
        assert answer.status_code == 200, answer.text
        found = mask_of(answer.json)
        assert found.any()
        return found

    return answered


def disc(x, y, radius=RADIUS):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.hypot(rows - y, columns - x) <= radius


def test_capabilities_are_those_of_the_project_and_of_the_model(call):
    (prediction,) = call({"event": "capabilities"}).json["results"]
    (answered,) = prediction["result"]
    assert answered == {
        "type": "capabilities",
        "value": {
            "prompts": ["point", "box"],
            "targets": [{"tag": "BitmaskLabels", "output": "mask"}],
            "model_info": {"name": "DynaMITE", "version": "discs-1"},
        },
    }


def test_capabilities_have_the_image_encoded_before_the_first_point(backend, call, mask):
    call({"event": "capabilities"})
    backend.parts.label_studio._prewarmer._pool.shutdown()
    assert (backend.predictor.encodes, backend.predictor.segments) == (1, 0)
    mask(points((100, 100)))
    assert backend.predictor.encodes == 1


def test_capabilities_need_no_image_and_no_task(backend, call):
    for body in (
        a_body({"event": "capabilities"}, image=None),
        a_body({"event": "capabilities"}) | {"tasks": []},
        a_body({"event": "capabilities"}) | {"tasks": None},
    ):
        answer = backend.client.post("/predict", json=body)
        assert answer.json["results"][0]["result"][0]["value"]["targets"]


def test_a_first_point_is_answered_with_one_mask_in_the_size_of_the_image(call, mask):
    found = mask(points((150, 150)))
    assert found.shape == (HEIGHT, WIDTH)
    assert (found == disc(150, 150)).all()
    (prediction,) = call(points((150, 150))).json["results"]
    (region,) = prediction["result"]
    assert set(region) == {"type", "value"}
    assert region["type"] == "bitmask"


def test_three_points_are_one_object_and_the_negative_one_is_kept_out(mask):
    found = mask(points((150, 150), (200, 150), (150, 130, False)))
    assert found[150, 150] and found[150, 200]
    assert not found[130, 150]


def test_a_box_is_answered_with_a_mask_inside_it(mask):
    found = mask(box(100, 100, 60, 50))
    outside = found.copy()
    outside[100:150, 100:160] = False
    assert not outside.any()


@pytest.mark.parametrize("context", [box(160, 150, -60, -50), box(560, 370, 200, 200)])
def test_a_box_counts_however_it_was_dragged(mask, context):
    assert mask(context).any()


def test_the_second_object_keeps_off_the_accepted_one(mask):
    first = mask(points((150, 150)))
    draft = a_draft(an_accepted(first))
    second = mask(points((190, 150)), drafts=[draft])
    assert second[150, 195]
    assert not (first & second).any()


def test_so_it_does_before_a_draft_holds_the_accepted_one(mask):
    first = mask(points((150, 150)))
    assert not (first & mask(points((200, 150)))).any()


def test_and_after_a_restart(make_backend):
    accepted = disc(150, 150)
    body = a_body(points((200, 150)), drafts=[a_draft(an_accepted(accepted))])
    answer = make_backend().client.post("/predict", json=body)
    assert not (mask_of(answer.json) & accepted).any()


def test_and_once_it_is_submitted(mask):
    first = mask(points((150, 150)))
    second = mask(points((200, 150)), annotations=[an_annotation(an_accepted(first))])
    assert not (first & second).any()


def test_a_rejected_mask_blocks_nothing_that_is_pointed_at(mask):
    rejected = mask(points((150, 150)))
    again = mask(points((151, 150)))
    assert (again == disc(151, 150)).all()
    assert (again & rejected).any()


@pytest.mark.parametrize("event", ["release", "prewarm", "track", "track_cancel", "new", 7, ["x"]])
def test_other_events_are_answered_with_nothing_and_change_nothing(call, mask, event):
    before = mask(points((150, 150)))
    for _ in range(2):
        assert call({"event": event}).json == EMPTY
    assert (mask(points((150, 150))) == before).all()
    assert not (mask(points((200, 150))) & before).any()


@pytest.mark.parametrize("context", [{"event": "predict"}, {"event": None}, {"event": ""}])
def test_a_prompt_may_name_its_event(mask, context):
    assert mask(points((150, 150)) | context)[150, 150]


def test_several_images_are_refused_in_words(call):
    config = CONFIG.replace('value="$image"', 'valueList="$images"')
    answer = call(points((150, 150)), config=config, images=["/a.png", "/b.png"])
    assert answer.json["error"]["code"] == "several_images"
    assert answer.status.startswith("400 This task has 2 images, and the page does not say which")


@pytest.mark.parametrize("radius", [60, 10])  # the whole object, and a part of it
def test_a_point_into_an_accepted_mask_is_refused_in_words(call, radius):
    draft = a_draft(an_accepted(disc(150, 150, radius=radius)))
    answer = call(points((150, 150)), drafts=[draft])
    assert answer.json["error"]["code"] == "no_mask"
    assert answer.status.startswith("422 This is a part of a region that is there already")


def test_negative_points_alone_are_refused_in_words(call):
    answer = call(points((150, 150, False)))
    assert answer.status.startswith("422 All points say where the object is not")


def test_nothing_found_is_no_empty_answer(backend, call, monkeypatch):
    monkeypatch.setattr(backend.predictor, "segment", found_nothing)
    answer = call(points((150, 150)))
    assert answer.status.startswith("422 Nothing is found here")


def found_nothing(features, clicks, **_):
    label_map = np.full(features.image_size, -1, np.int16)
    return SimpleNamespace(label_map=label_map, scores=np.ones(len(clicks.objects)))


def test_a_model_that_fails_costs_no_mask_that_was_there(backend, call, mask):
    one, two = mask(points((150, 150))), mask(points((150, 150), (200, 150)))
    backend.predictor.fail = RuntimeError("private")
    assert (mask(points((150, 150))) == one).all()
    assert (mask(points((150, 150), (200, 150))) == two).all()
    assert call(points((150, 150), (250, 150))).status_code == 500


def test_points_that_are_undone_and_redone_give_the_same_masks(mask):
    lists = [points((150, 150)), points((150, 150), (200, 150)), points((200, 150))]
    seen = [mask(one) for one in lists]
    for one, before in list(zip(lists, seen, strict=True))[::-1]:
        assert (mask(one) == before).all()


def test_both_protocols_work_on_one_page_at_the_same_time(backend, mask, click):
    """A smart keypoint label beside a bound bitmask label."""
    config = write(["A", "B"], output="bitmask")
    own = mask(points((150, 150)), config=config)
    today = a_body({"result": [click("A", 400, 200)]}, config=config)
    ((first,), (second,)) = (
        backend.client.post("/predict", json=body).json["results"][0]["result"]
        for body in (today, today)
    )
    assert first == second
    assert (mask(points((150, 150)), config=config) == own).all()
    beside = mask(points((150, 150), (180, 150)), config=config)
    assert beside[150, 180]


def test_each_protocol_keeps_off_what_was_accepted_with_the_other(backend, mask, click):
    config = write(["A", "B"], output="bitmask")
    accepted = an_accepted(mask(points((150, 150)), config=config))
    accepted["from_name"] = "mask"
    one, two = click("A", 200, 150), click("B", 420, 150)

    def today(*context, drafts):
        body = a_body({"result": list(context)}, config=config, drafts=drafts)
        answer = backend.client.post("/predict", json=body)
        regions = answer.json["results"][0]["result"]
        return {r["value"]["bitmasklabels"][0]: (r, region_mask(r)) for r in regions}

    own = region_mask(accepted)
    first = today(one, drafts=[])["A"][1]
    assert first[150, 200]
    both = today(two, drafts=[a_draft(one, accepted)])
    assert both["A"][1][150, 205] and both["B"][1][150, 420]
    assert not (both["A"][1] & own).any()
    regions = [accepted, *(region for region, _ in both.values())]
    third = mask(points((240, 150)), config=config, drafts=[a_draft(*regions)])
    for region in regions:
        assert not (third & region_mask(region)).any()


def test_an_accepted_mask_is_known_as_the_models(backend, mask):
    found = mask(points((150, 150), (200, 150)))
    backend.parts.answer_log.close()
    with Redis.from_url(backend.settings.queue_url) as redis:
        answers = recall(redis, backend.settings.label_studio_name, 190)
    regions = [an_accepted(found), an_accepted(~found, name="by hand")]
    read = read_masks(regions, parse(CONFIG), answers)
    ((_, accepted), (_, drawn)) = read.regions[ImageKey("image")]
    assert drawn.origin is Origin.DRAWN
    assert (accepted.origin, accepted.model_version, accepted.clicks) == (
        Origin.UNCHANGED,
        "discs-1",
        2,
    )


def test_another_task_is_another_page(mask):
    mask(points((150, 150)))
    assert (mask(points((160, 150)), number=191) == disc(160, 150)).all()
