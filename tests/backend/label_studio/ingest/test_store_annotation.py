"""One annotation: what of it is kept, what is set aside, and what training then sees."""

import cv2
import numpy as np
import pytest

from backend.errors import BadRequestError, ImageUnreachableError
from backend.images.decode import decode, digest
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.retries import publish_backlog
from backend.label_studio.ingest.store_annotation import annotator
from backend.label_studio.task_images import FetchedImage
from backend.retraining.status import last_backlog
from backend.session.bitmask import BitMask
from tests.backend.label_studio.ingest.conftest import SOURCE, an_annotation, an_event, brush, mask
from training.annotation_store import AnnotationKey, Origin
from training.data.images import decode_image

FIRST, LATER = "2026-11-22T07:00:00Z", "2026-11-22T08:00:00Z"


def kept(ingest):
    return [a.annotation_id for a in ingest.store.annotations()]


def regions(ingest):
    return [r.region_id for a in ingest.store.annotations() for i in a.images for r in i.regions]


def rejected(ingest):
    return [(row["annotation"], row["region"], row["code"]) for row in ingest.store.rejected()]


def test_one_mask_of_the_wrong_size_costs_no_other_though_it_comes_first(ingest):
    wrong = brush(mask(shape=(50, 60)), name="wrong")
    good = [brush(mask(), name="a"), brush(mask(30, 20), name="b")]
    process_event(an_event(annotation=an_annotation(1, wrong, *good)), ingest)
    assert regions(ingest) == ["a", "b"]
    assert rejected(ingest) == [(1, "wrong", "wrong_size")]
    (row,) = ingest.store.rejected()
    assert row["detail"] == "the image is 60×40, the mask is 60×50"


def click(label="A", name="k1", tag="click"):
    value = {"x": 10, "y": 10, "width": 1, "keypointlabels": [label]}
    return {
        "id": name,
        "type": "keypointlabels",
        "from_name": tag,
        "to_name": "image",
        "value": value,
    }


@pytest.mark.parametrize(
    ("results", "listed"),
    [
        ([click(), click(name="k2")], True),
        ([click(), brush(mask())], False),  # the dots of accepted masks may stay
        ([click("Background")], False),
        ([click(tag="another")], False),  # an ordinary keypoint asks for no mask
        ([], False),
        ([{"type": "keypointlabels", "value": {"keypointlabels": "A"}}, None], False),
    ],
)
def test_clicks_that_were_submitted_without_their_masks_are_listed(ingest, results, listed):
    annotation = an_annotation(1) | {"result": results}
    process_event(an_event(annotation=annotation), ingest)
    assert rejected(ingest) == ([(1, None, "no_mask")] if listed else [])
    if listed:
        (row,) = ingest.store.rejected()
        assert row["detail"].startswith("it holds 2 clicks and no mask: ")
        publish_backlog(ingest.store, ingest.bookkeeping, ingest.redis)
        told = last_backlog(ingest.redis)
        assert (told.no_mask, told.no_mask_in) == (1, "task 1 of project 3")
        process_event(an_event(annotation=an_annotation(1, updated="2027-01-01T00:00:00Z")), ingest)
        assert rejected(ingest) == []


@pytest.mark.parametrize("updated", [None, "yesterday"])
def test_an_annotation_without_a_time_is_listed_and_what_was_kept_stays(ingest, updated):
    process_event(an_event(annotation=an_annotation(1, updated=FIRST)), ingest)
    with pytest.raises(BadRequestError, match=f"annotation 1: updated_at is {updated!r}"):
        process_event(an_event(annotation=an_annotation(1, updated=updated)), ingest)
    assert kept(ingest) == [1]
    assert rejected(ingest) == [(1, None, "bad_annotation")]
    process_event(an_event(annotation=an_annotation(1, updated=LATER)), ingest)
    assert rejected(ingest) == []


@pytest.mark.parametrize("number", [10**30, 2**63, -(2**63)])
def test_numbers_that_no_table_can_hold_are_no_numbers(ingest, number):
    with pytest.raises(BadRequestError, match="not a number"):
        process_event(an_event(annotation=an_annotation(number)), ingest)
    assert annotator(number) is None
    process_event(an_event(annotation=an_annotation(1, completed_by=number)), ingest)
    assert kept(ingest) == [1]


def test_an_annotation_whose_image_is_away_keeps_no_other_of_its_event_waiting(ingest):
    fetch = ingest.images.fetch

    def one_host_is_dead(value, task_id=None):
        if "dead" in value:
            raise ImageUnreachableError(f"{value} cannot be reached")
        return fetch(value, task_id)

    ingest.images.fetch = one_host_is_dead
    event = an_event("ANNOTATIONS_CREATED")
    event["body"]["annotation"] = [an_annotation(n, task=n) for n in (1, 2)]
    names = {1: "http://dead/1.png", 2: "/data/2.png"}
    event["body"]["task"] = [{"id": n, "data": {"image": name}} for n, name in names.items()]
    assert "waits: http://dead/1.png cannot be reached; stored" in process_event(event, ingest)
    assert kept(ingest) == [2]
    ((waiting, _),) = ingest.bookkeeping.waiting()
    assert waiting["body"]["annotation"]["id"] == 1
    assert waiting["body"]["task"]["id"] == 1


def test_where_a_mask_comes_from_stays_known_when_the_queue_server_has_forgotten(ingest):
    regions = [brush(mask(), name="own"), brush(mask(30, 20), name="other"), brush(mask(width=0))]
    named = f"own {BitMask.of(mask()).digest}"
    ingest.redis.hset("dynamite:answers:label_studio:1", named, '["lite-1", 3]')
    process_event(an_event(annotation=an_annotation(1, *regions)), ingest)
    ingest.redis.flushall()
    told = process_event(an_event(annotation=an_annotation(1, *regions)), ingest)
    assert "an equal or later version is stored already" in told, "it is no news"
    process_event(an_event(annotation=an_annotation(1, *regions[:2], updated=LATER)), ingest)
    (image,) = ingest.store.annotation(AnnotationKey(SOURCE, 1)).images
    assert {r.region_id: (r.origin, r.model_version, r.clicks) for r in image.regions} == {
        "own": (Origin.UNCHANGED, "lite-1", 3),
        "other": (Origin.DRAWN, None, None),
    }


@pytest.mark.parametrize(
    "image", ["/data/missing.png", "/data/large.png"], ids=["gone", "another picture in its place"]
)
def test_masks_stay_on_the_image_they_were_stored_with_when_it_cannot_be_had_again(ingest, image):
    process_event(an_event(annotation=an_annotation(1, brush(mask()), updated=FIRST)), ingest)
    (before,) = ingest.store.annotation(AnnotationKey(SOURCE, 1)).images
    ingest.images.larger = "large"
    changed = [brush(mask(width=8)), brush(mask(30, 20), name="new")]
    later = an_annotation(1, *changed, updated=LATER, ground_truth=True)
    process_event(an_event(annotation=later, image=image), ingest)
    (after,) = ingest.store.annotation(AnnotationKey(SOURCE, 1)).images
    assert after.digest == before.digest
    assert [(r.region_id, r.area) for r in after.regions] == [("r1", 80), ("new", 200)]
    assert rejected(ingest) == []


def test_masks_are_set_aside_with_their_image_where_its_file_is_gone_as_well(ingest):
    process_event(an_event(annotation=an_annotation(1, updated=FIRST)), ingest)
    (before,) = ingest.store.annotation(AnnotationKey(SOURCE, 1)).images
    ingest.store.image_path(before.digest).unlink()
    process_event(
        an_event(annotation=an_annotation(1, updated=LATER), image="/data/missing.png"), ingest
    )
    assert rejected(ingest) == [(1, "r1", "image_missing")]


def test_a_mask_set_aside_costs_no_other_when_it_is_tried_again_with_the_image_gone(ingest):
    both = [brush(mask(shape=(50, 60)), name="wrong"), brush(mask(), name="good")]
    process_event(an_event(annotation=an_annotation(1, *both)), ingest)
    process_event(an_event(annotation=an_annotation(1, *both), image="/data/missing.png"), ingest)
    assert regions(ingest) == ["good"]
    assert rejected(ingest) == [(1, "wrong", "wrong_size")]


def test_what_training_sees_is_what_the_annotator_saw(ingest):
    colors = np.full((40, 60, 4), 90, np.uint8)
    colors[:, 30:, 3] = 0  # transparent: white on the screen, whatever color lies there
    data = cv2.imencode(".png", colors)[1].tobytes()
    ingest.images.fetch = lambda *_: FetchedImage(data, digest(data))
    process_event(an_event(), ingest)
    (entry,) = ingest.store.annotations()
    stored = ingest.store.image_path(entry.images[0].digest).read_bytes()
    assert (decode_image(stored, "stored") == decode(data, max_pixels=10**6)).all()
    assert (decode_image(stored, "stored")[:, 30:] == 255).all()


def test_masks_on_a_repeated_image_are_kept(ingest):
    event = an_event(annotation=an_annotation(1, brush(mask(), to_name="image_1")))
    event["body"]["project"]["label_config"] = (
        '<View><Repeater on="$pages"><Image name="image_{{idx}}" value="$pages[{{idx}}].url"/>'
        '<BrushLabels name="b_{{idx}}" toName="image_{{idx}}"><Label value="A"/></BrushLabels>'
        "</Repeater></View>"
    )
    event["body"]["task"]["data"] = {"pages": [{"url": "/data/a.png"}, {"url": "/data/b.png"}]}
    process_event(event, ingest)
    assert rejected(ingest) == []
    assert regions(ingest) == ["r1"]
