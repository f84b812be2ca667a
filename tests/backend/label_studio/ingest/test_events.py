import copy
import json
from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadRequestError
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.ingest.deletion import delete_annotations
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.sync import reconcile_projects
from backend.label_studio.ingest.values import moment
from backend.label_studio.known_projects import connected, note
from backend.retraining.training_queue import train_queue
from backend.serving.answer_log import Answered, AnswerLog
from backend.session.bitmask import BitMask
from tests.backend.label_studio.fake_label_studio import PERSONAL
from tests.backend.label_studio.ingest.conftest import SOURCE, an_annotation, an_event, brush, mask
from training.annotation_store import Origin
from training.data.masks import decode

CAPTURES = Path(__file__).parents[2] / "captures"
LATER = "2026-11-22T08:00:00Z"


def kept(ingest):
    return {a.annotation_id: a for a in ingest.store.annotations()}


def regions(ingest, number=1):
    return [r for image in kept(ingest)[number].images for r in image.regions]


def rejected(ingest):
    return [(row["region"], row["code"]) for row in ingest.store.rejected()]


def test_an_accepted_annotation_is_stored_with_its_image_and_masks(ingest):
    annotation = an_annotation(1, brush(mask(), "B"), completed_by=4, ground_truth=True)
    process_event(an_event(annotation=annotation), ingest)
    entry = kept(ingest)[1]
    assert (entry.task, entry.project, entry.annotator, entry.ground_truth) == (1, 3, 4, True)
    (image,) = entry.images
    (region,) = image.regions
    rle = {"size": [image.height, image.width], "counts": region.counts}
    assert (decode(rle, (40, 60)) == mask()).all()
    assert (region.label, region.area) == ("B", 200)
    assert ingest.store.image_path(image.digest).is_file()


def test_only_brushlabels_count_even_where_another_tag_repeats_the_mask(ingest):
    painted = brush(mask(), "A", "r1")
    repeated = copy.deepcopy(painted) | {"type": "keypointlabels", "from_name": "click"}
    repeated["value"]["keypointlabels"] = ["B"]
    point = {"type": "keypointlabels", "id": "k", "value": {"x": 1, "y": 1}, "is_positive": True}
    process_event(an_event(annotation=an_annotation(1, repeated, painted, point)), ingest)
    assert [(r.region_id, r.label) for r in regions(ingest)] == [("r1", "A")]
    assert rejected(ingest) == []


def test_soft_edges_are_cut_above_127(ingest):
    soft = np.zeros((40, 60), np.uint8)
    soft[0, :4] = (127, 128, 255, 1)
    process_event(an_event(annotation=an_annotation(1, brush(soft))), ingest)
    assert regions(ingest)[0].area == 2


def bad(code):
    region = brush(mask(), name="bad")
    if code == "empty_mask":
        region = brush(mask(width=0), name="bad")
    elif code == "wrong_size":
        region = brush(mask(shape=(41, 60)), name="bad")
    elif code == "unknown_label":
        region = brush(mask(), "C", "bad")
    elif code == "bad_mask":
        region["value"]["rle"] = region["value"]["rle"][:12]
    elif code == "bad_region":
        region["original_width"] = "wide"
    return region


@pytest.mark.parametrize(
    "code", ["empty_mask", "wrong_size", "unknown_label", "bad_mask", "bad_region"]
)
def test_a_bad_region_is_set_aside_with_its_reason_and_the_others_are_kept(ingest, code):
    annotation = an_annotation(1, brush(mask(30, 20), "B", "good"), bad(code))
    process_event(an_event(annotation=annotation), ingest)
    assert [r.region_id for r in regions(ingest)] == ["good"]
    assert rejected(ingest) == [("bad", code)]


def test_masks_of_another_size_than_their_image_are_set_aside(ingest):
    annotation = an_annotation(1, brush(mask(shape=(50, 60)), name="a"))
    process_event(an_event(annotation=annotation), ingest)
    assert kept(ingest)[1].images == ()
    assert rejected(ingest) == [("a", "wrong_size")]


def test_rle_that_lies_about_its_length_is_set_aside_without_memory_spent(ingest):
    region = brush(mask(), name="liar")
    region["value"]["rle"][:4] = [255, 255, 255, 252]
    region["original_width"], region["original_height"] = 32768, 32768
    process_event(an_event(annotation=an_annotation(1, region)), ingest)
    assert rejected(ingest) == [("liar", "bad_mask")]


def test_an_image_that_is_gone_sets_the_annotation_aside(ingest):
    process_event(an_event(image="/data/missing.png"), ingest)
    assert rejected(ingest) == [("r1", "image_missing")]


def test_an_image_that_is_away_makes_the_event_wait_until_it_is_back(ingest):
    ingest.images.is_away = True
    assert "waits" in process_event(an_event(), ingest)
    reconcile_projects(ingest)
    assert kept(ingest) == {}
    assert len(ingest.bookkeeping.waiting()) == 1
    ingest.images.is_away = False
    reconcile_projects(ingest)
    assert len(regions(ingest)) == 1
    assert ingest.bookkeeping.waiting() == []


def test_skipped_annotations_do_not_count(ingest):
    process_event(an_event(annotation=an_annotation(1, was_cancelled=True)), ingest)
    assert kept(ingest)[1].cancelled
    assert kept(ingest)[1].images == ()


def test_updates_out_of_order_and_many_at_once(ingest):
    newer = an_annotation(1, brush(mask(), "B"), updated="2026-11-22T07:10:41.5Z")
    older = an_annotation(1, brush(mask(), "A"), updated="2026-11-22T07:10:41Z")
    process_event(an_event("ANNOTATION_UPDATED", newer), ingest)
    process_event(an_event("ANNOTATION_CREATED", older), ingest)
    assert regions(ingest)[0].label == "B"
    event = an_event()
    event["body"]["action"] = "ANNOTATIONS_CREATED"
    event["body"]["annotation"] = [an_annotation(n, task=n) for n in (5, 6)]
    event["body"]["task"] = [{"id": n, "data": {"image": f"/data/{n}.png"}} for n in (6, 5)]
    process_event(event, ingest)
    assert sorted(kept(ingest)) == [1, 5, 6]
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 5}, {"id": 1}]}
    process_event({"body": gone, "verified": True}, ingest)
    process_event(an_event(annotation=an_annotation(5, task=5, updated=LATER)), ingest)
    assert sorted(kept(ingest)) == [6]
    process_event(
        {"body": {"action": "TASKS_DELETED", "tasks": [{"id": 6}]}, "verified": True}, ingest
    )
    assert kept(ingest) == {}


@pytest.mark.parametrize("name", ["webhook-annotation-created", "webhook-annotation-updated"])
def test_recorded_webhooks_are_taken(ingest, name):
    body = json.loads((CAPTURES / f"{name}.json").read_text())["request"]["body"]
    process_event({"body": body, "verified": True}, ingest)
    # Their image is 600×400, ours is not: both masks are understood and set aside for it.
    assert {code for _, code in rejected(ingest)} == {"wrong_size"}
    assert len(rejected(ingest)) == 2


def test_where_a_mask_comes_from_is_known_by_what_the_model_answered(ingest, queue_server):
    answered = mask()
    log = AnswerLog(queue_server)
    name = BitMask.of(answered).digest
    log.note(SOURCE, "1", [Answered("r1", name, "lite-1", 3), Answered("r2", name, "lite-1", 2)])
    log.close()
    process_event(
        an_event(
            annotation=an_annotation(
                1,
                brush(answered, name="r1"),
                brush(mask(width=25), name="r2"),
                brush(mask(30, 20), name="r3"),
                brush(mask(30, 20), name="r4", score=0.9),
            )
        ),
        ingest,
    )
    found = {r.region_id: (r.origin, r.model_version, r.clicks) for r in regions(ingest)}
    assert found == {
        "r1": (Origin.UNCHANGED, "lite-1", 3),
        "r2": (Origin.CORRECTED, "lite-1", 2),
        "r3": (Origin.DRAWN, None, None),
        "r4": (Origin.UNCHANGED, None, None),
    }


def test_an_event_that_proves_nothing_is_asked_back(make_ingest, site, api):
    ingest = make_ingest(api, train_after=0)
    event = an_event(verified=False, annotation=an_annotation(1, brush(mask(), "B")))
    assert "no such annotation" in process_event(event, ingest)
    assert kept(ingest) == {}
    site.answers["/api/annotations/1"] = an_annotation(1, brush(mask(), "A"))
    site.answers["/api/tasks/1"] = {"id": 1, "project": 3, "data": {"image": "/data/a.png"}}
    site.answers["/api/projects/3"] = event["body"]["project"]
    process_event(event, ingest)
    assert regions(ingest)[0].label == "A"  # what Label Studio says, not what the event said
    deleted = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}
    process_event({"body": deleted, "verified": False}, ingest)
    assert sorted(kept(ingest)) == [1]
    del site.answers["/api/annotations/1"]
    process_event({"body": deleted, "verified": False}, ingest)
    assert kept(ingest) == {}


def test_an_event_that_proves_nothing_waits_while_nobody_can_be_asked(ingest):
    assert "waits" in process_event(an_event(verified=False), ingest)
    assert len(ingest.bookkeeping.waiting()) == 1


@pytest.mark.parametrize("status", [307, 401, 503])
def test_an_event_waits_while_a_personal_token_cannot_be_exchanged(make_ingest, site, status):
    site.exchange = status
    with LabelStudioApi(site.url, PERSONAL) as api:
        ingest = make_ingest(api)
        assert "waits" in process_event(an_event(verified=False), ingest)
        ((_, reason),) = ingest.bookkeeping.waiting()
    assert "token" in reason


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"action": "ANNOTATION_CREATED"},
        {"action": "START_TRAINING"},
        {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": "x"}]},
    ],
)
def test_an_event_of_another_shape_is_an_error_that_says_so(ingest, body):
    with pytest.raises(BadRequestError):
        process_event({"body": body, "verified": True}, ingest)


def test_a_task_given_as_an_object_is_known_by_its_id(ingest):
    event = an_event()
    event["body"]["annotation"]["task"] = {"id": 1, "data": {}}
    process_event(event, ingest)
    assert kept(ingest)[1].task == 1


@pytest.mark.parametrize("task", [None, True, "1", 1.0, [1], {"id": [1]}, {}, 2])
def test_an_annotation_of_no_known_task_is_an_error_that_says_so(ingest, task):
    event = an_event()
    event["body"]["annotation"]["task"] = task
    with pytest.raises(BadRequestError, match=r"annotation 1: .*(not a number|lacks its task)"):
        process_event(event, ingest)
    assert kept(ingest) == {}


@pytest.mark.usefixtures("many_held_out")
@pytest.mark.parametrize(
    "wrong",
    [{"task": [5]}, {"task": 7}, {"task": 9}, {"id": [5]}, {"updated_at": "yesterday"}, None],
)
def test_one_bad_annotation_does_not_stop_those_after_it(make_ingest, wrong):
    ingest = make_ingest(train_after=2)
    event = an_event("ANNOTATIONS_CREATED")
    good = [an_annotation(n, task=n) for n in (5, 6)]
    bad = None if wrong is None else an_annotation(4, task=5) | wrong
    event["body"]["annotation"] = [bad, good[0], bad, good[1]]
    tasks = [{"id": n, "data": {"image": f"/data/{n}.png"}} for n in (5, 6)]
    event["body"]["task"] = [{"id": [9]}, "7", *tasks]
    with pytest.raises(BadRequestError, match=";"):
        process_event(event, ingest)
    assert sorted(kept(ingest)) == [5, 6]
    assert train_queue(ingest.redis).count == 1, "what could be used counts"


@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-01", "", None, 7, [1]],
)
def test_a_time_that_cannot_be_is_named(time):
    with pytest.raises(BadRequestError, match="not a time"):
        moment(time)


def test_the_reconcile_finds_what_no_webhook_brought(make_ingest, site, api):
    ingest = make_ingest(api, train_after=0)
    process_event(an_event(annotation=an_annotation(9, task=9)), ingest)  # gone in the meantime
    process_event(
        an_event(annotation=an_annotation(8, task=8)), ingest
    )  # there, but the list misses it
    site.answers["/api/tasks/8"] = {"id": 8}
    site.answers["/api/projects/3"] = an_event()["body"]["project"]
    task = {"id": 1, "project": 3, "data": {"image": "/data/a.png"}, "total_annotations": 1}
    page = {"tasks": [task | {"updated_at": LATER}], "total": 1}
    site.answers["/api/tasks"] = page
    site.answers["/api/tasks/1/annotations"] = [an_annotation(1)]
    assert "1 stored, 1 deleted" in reconcile_projects(ingest, [3])
    assert sorted(kept(ingest)) == [1, 8]
    site.answers["/api/tasks/1/annotations"] = []
    assert "0 stored" in reconcile_projects(ingest, [3])  # the task is as it was: not asked
    page["tasks"][0]["updated_at"] = "2026-11-22T09:00:00Z"
    reconcile_projects(ingest, [3])
    assert sorted(kept(ingest)) == [8]
    delete_annotations([1], ingest.store, ingest.bookkeeping)
    site.answers["/api/tasks/1/annotations"] = [an_annotation(1)]
    page["tasks"][0]["updated_at"] = "2026-11-22T10:00:00Z"
    reconcile_projects(ingest, [3])
    assert sorted(kept(ingest)) == [1, 8]  # Label Studio has it: its word is the last


def test_an_annotation_that_was_counted_after_the_tasks_time_was_set_is_found(
    make_ingest, site, api
):
    ingest = make_ingest(api, train_after=0)
    site.answers["/api/projects/3"] = an_event()["body"]["project"]
    task = {"id": 1, "project": 3, "data": {"image": "/data/a.png"}, "updated_at": LATER}
    site.answers["/api/tasks"] = {"tasks": [task | {"total_annotations": 0}], "total": 1}
    reconcile_projects(ingest, [3])
    site.answers["/api/tasks"]["tasks"] = [task | {"total_annotations": 1}]
    site.answers["/api/tasks/1/annotations"] = [an_annotation(1)]
    reconcile_projects(ingest, [3])
    assert sorted(kept(ingest)) == [1]


def test_an_annotation_that_the_list_leaves_out_is_asked_for_before_it_is_deleted(
    make_ingest, site, api
):
    ingest = make_ingest(api, train_after=0)
    process_event(an_event(), ingest)
    site.answers["/api/projects/3"] = an_event()["body"]["project"]
    task = {"id": 1, "project": 3, "data": {"image": "/data/a.png"}, "updated_at": LATER}
    site.answers["/api/tasks"] = {"tasks": [task | {"total_annotations": 0}], "total": 1}
    site.answers["/api/tasks/1/annotations"] = []
    site.answers["/api/annotations/1"] = an_annotation(1, updated=LATER, was_cancelled=True)
    reconcile_projects(ingest, [3])
    assert kept(ingest)[1].cancelled
    site.answers["/api/tasks"]["tasks"] = [task | {"updated_at": "2026-11-22T09:00:00Z"}]
    del site.answers["/api/annotations/1"]
    reconcile_projects(ingest, [3])
    assert kept(ingest) == {}


def test_a_project_that_has_connected_is_compared_even_if_nothing_ever_came_from_it(
    make_ingest, site, api
):
    ingest = make_ingest(api, train_after=0)
    note(ingest.redis, SOURCE, 3)
    site.answers["/api/projects/3"] = an_event()["body"]["project"]
    task = {"id": 1, "project": 3, "data": {"image": "/data/a.png"}, "updated_at": LATER}
    site.answers["/api/tasks"] = {"tasks": [task | {"total_annotations": 1}], "total": 1}
    site.answers["/api/tasks/1/annotations"] = [an_annotation(1)]
    assert "project 3: 1 stored" in reconcile_projects(ingest)
    del site.answers["/api/projects/3"]
    assert "project 3: deleted" in reconcile_projects(ingest)
    assert connected(ingest.redis, SOURCE) == set()
    assert kept(ingest) == {}
