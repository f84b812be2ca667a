"""One annotation: what of it is kept, what is set aside, and what training then sees."""

import cv2
import numpy as np
import pytest

from backend.errors import BadRequestError, ImageUnreachableError
from backend.images.decode import decode, digest
from backend.label_studio.ingest.events import take
from backend.label_studio.ingest.store_annotation import annotator
from backend.label_studio.task_images import FetchedImage
from backend.session.call import digest as pixels_digest
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event, brush, mask
from training.annotation_store import Origin
from training.data.images import decode_image

FIRST, LATER = "2026-11-22T07:00:00Z", "2026-11-22T08:00:00Z"


def kept(context):
    return [a.annotation_id for a in context.store.annotations()]


def regions(context):
    return [r.region_id for a in context.store.annotations() for i in a.images for r in i.regions]


def rejected(context):
    return [(row["annotation"], row["region"], row["code"]) for row in context.store.rejected()]


def test_one_mask_of_the_wrong_size_costs_no_other_though_it_comes_first(context):
    wrong = brush(mask(shape=(50, 60)), name="wrong")
    good = [brush(mask(), name="a"), brush(mask(30, 20), name="b")]
    take(an_event(annotation=an_annotation(1, wrong, *good)), context)
    assert regions(context) == ["a", "b"]
    assert rejected(context) == [(1, "wrong", "wrong_size")]
    (row,) = context.store.rejected()
    assert row["detail"] == "the image is 60×40, the mask is 60×50"


@pytest.mark.parametrize("updated", [None, "yesterday"])
def test_an_annotation_without_a_time_is_listed_and_what_was_kept_stays(context, updated):
    take(an_event(annotation=an_annotation(1, updated=FIRST)), context)
    with pytest.raises(BadRequestError, match=f"annotation 1: updated_at is {updated!r}"):
        take(an_event(annotation=an_annotation(1, updated=updated)), context)
    assert kept(context) == [1]
    assert rejected(context) == [(1, None, "bad_annotation")]
    take(an_event(annotation=an_annotation(1, updated=LATER)), context)
    assert rejected(context) == []


@pytest.mark.parametrize("number", [10**30, 2**63, -(2**63)])
def test_numbers_that_no_table_can_hold_are_no_numbers(context, number):
    with pytest.raises(BadRequestError, match="not a number"):
        take(an_event(annotation=an_annotation(number)), context)
    assert annotator(number) is None
    take(an_event(annotation=an_annotation(1, completed_by=number)), context)
    assert kept(context) == [1]


def test_an_annotation_whose_image_is_away_keeps_no_other_of_its_event_waiting(context):
    fetch = context.images.fetch

    def one_host_is_dead(value, task_id=None):
        if "dead" in value:
            raise ImageUnreachableError(f"{value} cannot be reached")
        return fetch(value, task_id)

    context.images.fetch = one_host_is_dead
    event = an_event("ANNOTATIONS_CREATED")
    event["body"]["annotation"] = [an_annotation(n, task=n) for n in (1, 2)]
    names = {1: "http://dead/1.png", 2: "/data/2.png"}
    event["body"]["task"] = [{"id": n, "data": {"image": name}} for n, name in names.items()]
    assert "waits: http://dead/1.png cannot be reached; stored" in take(event, context)
    assert kept(context) == [2]
    ((waiting, _),) = context.store.waiting()
    assert waiting["body"]["annotation"]["id"] == 1
    assert waiting["body"]["task"]["id"] == 1


def test_where_a_mask_comes_from_stays_known_when_the_queue_server_has_forgotten(context):
    regions = [brush(mask(), name="own"), brush(mask(30, 20), name="other"), brush(mask(width=0))]
    named = f"own {pixels_digest(bytes(regions[0]['value']['rle']))}"
    context.redis.hset("dynamite:answers:1", named, '["lite-1", 3]')
    take(an_event(annotation=an_annotation(1, *regions)), context)
    context.redis.flushall()
    told = take(an_event(annotation=an_annotation(1, *regions)), context)
    assert "an equal or later version is stored already" in told, "it is no news"
    take(an_event(annotation=an_annotation(1, *regions[:2], updated=LATER)), context)
    (image,) = context.store.annotation(1).images
    assert {r.region_id: (r.origin, r.model_version, r.clicks) for r in image.regions} == {
        "own": (Origin.UNCHANGED, "lite-1", 3),
        "other": (Origin.DRAWN, None, None),
    }


@pytest.mark.parametrize(
    "image", ["/data/missing.png", "/data/large.png"], ids=["gone", "another picture in its place"]
)
def test_masks_stay_on_the_image_they_were_stored_with_when_it_cannot_be_had_again(context, image):
    take(an_event(annotation=an_annotation(1, brush(mask()), updated=FIRST)), context)
    (before,) = context.store.annotation(1).images
    context.images.larger = "large"
    changed = [brush(mask(width=8)), brush(mask(30, 20), name="new")]
    later = an_annotation(1, *changed, updated=LATER, ground_truth=True)
    take(an_event(annotation=later, image=image), context)
    (after,) = context.store.annotation(1).images
    assert after.digest == before.digest
    assert [(r.region_id, r.area) for r in after.regions] == [("r1", 80), ("new", 200)]
    assert rejected(context) == []


def test_masks_are_set_aside_with_their_image_where_its_file_is_gone_as_well(context):
    take(an_event(annotation=an_annotation(1, updated=FIRST)), context)
    (before,) = context.store.annotation(1).images
    context.store.image_path(before.digest).unlink()
    take(an_event(annotation=an_annotation(1, updated=LATER), image="/data/missing.png"), context)
    assert rejected(context) == [(1, "r1", "image_missing")]


def test_a_mask_set_aside_costs_no_other_when_it_is_tried_again_with_the_image_gone(context):
    both = [brush(mask(shape=(50, 60)), name="wrong"), brush(mask(), name="good")]
    take(an_event(annotation=an_annotation(1, *both)), context)
    take(an_event(annotation=an_annotation(1, *both), image="/data/missing.png"), context)
    assert regions(context) == ["good"]
    assert rejected(context) == [(1, "wrong", "wrong_size")]


def test_what_training_sees_is_what_the_annotator_saw(context):
    colors = np.full((40, 60, 4), 90, np.uint8)
    colors[:, 30:, 3] = 0  # transparent: white on the screen, whatever color lies there
    data = cv2.imencode(".png", colors)[1].tobytes()
    context.images.fetch = lambda *_: FetchedImage(data, digest(data))
    take(an_event(), context)
    (entry,) = context.store.annotations()
    stored = context.store.image_path(entry.images[0].digest).read_bytes()
    assert (decode_image(stored, "stored") == decode(data, max_pixels=10**6)).all()
    assert (decode_image(stored, "stored")[:, 30:] == 255).all()
