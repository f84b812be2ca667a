"""The comparison with Label Studio, where answers are missing, bad, or not Label Studio's."""

from types import SimpleNamespace

import pytest

from backend.errors import ImageTimeoutError
from backend.label_studio.config_writer import write
from backend.label_studio.ingest.deletion import (
    delete_annotations,
    delete_tasks,
    replace_project,
)
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.ingest import TryLaterError
from backend.label_studio.ingest.sync import SECONDS, reconcile_project, reconcile_projects
from backend.retraining.enqueueing import enqueue_training
from backend.retraining.training_queue import train_queue
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event, brush, mask
from tests.backend.retraining.asking import request

TIME = "2026-11-22T07:10:40Z"


def kept(ingest):
    return [a.annotation_id for a in ingest.store.annotations()]


def rejected(ingest):
    return [(row["annotation"], row["code"]) for row in ingest.store.rejected()]


@pytest.fixture
def ingest(make_ingest, api):
    return make_ingest(api, train_after=0)


@pytest.fixture
def tasks(site):
    """Three tasks of project 3 with an annotation each; their list in Label Studio."""
    site.answers["/api/projects/3"] = {"id": 3, "label_config": write(["A", "B"])}
    found = [
        {
            "id": number,
            "project": 3,
            "data": {"image": f"/data/{number}.png"},
            "updated_at": TIME,
            "total_annotations": 1,
            "cancelled_annotations": 0,
        }
        for number in (1, 2, 3)
    ]
    site.answers["/api/tasks"] = {"tasks": found, "total": 3}
    for task in found:
        number = task["id"]
        site.answers[f"/api/tasks/{number}"] = task
        site.answers[f"/api/tasks/{number}/annotations"] = [an_annotation(number, task=number)]
        site.answers[f"/api/annotations/{number}"] = an_annotation(number, task=number)
    return found


def test_a_proxy_that_finds_nothing_does_not_speak_for_label_studio(ingest, site, tasks):
    reconcile_projects(ingest, [3])
    there = dict(site.answers)
    site.answers.clear()
    assert "answers 404" in reconcile_projects(ingest, [3])
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}
    assert "waits" in process_event({"body": gone, "verified": False}, ingest)
    assert kept(ingest) == [1, 2, 3]
    site.answers.update(there)
    reconcile_projects(ingest, [3])
    assert kept(ingest) == [1, 2, 3]


MADE, LATER = "2026-11-20T07:10:40.000001Z", "2026-11-25T09:00:00.000002Z"


def test_another_project_of_the_same_number_is_neither_taken_nor_believed(ingest, site, tasks):
    """Another Label Studio counts from 1 too; a state folder is easily shared by mistake."""
    site.answers["/api/projects/3"]["created_at"] = MADE
    reconcile_projects(ingest, [3])
    before = ingest.store.annotations()
    site.answers["/api/projects/3"]["created_at"] = LATER
    tasks.pop()
    newer = an_annotation(1, task=1, updated="2026-12-01T00:00:00Z")
    site.answers["/api/tasks/1/annotations"] = [newer]
    assert "is not the one that annotations came from" in reconcile_projects(ingest, [3])
    project = {"id": 3, "created_at": LATER, "label_config": write(["A"])}
    event = an_event(annotation=newer)
    event["body"]["project"] = project
    assert "waits" in process_event(event, ingest)
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}], "project": project}
    assert "waits" in process_event({"body": gone, "verified": True}, ingest)
    deleted = {"action": "PROJECT_DELETED", "project": project}
    assert "waits" in process_event({"body": deleted, "verified": True}, ingest)
    assert ingest.store.annotations() == before
    replace_project(3, ingest.store, ingest.bookkeeping)  # `dynamite sync --replace`
    reconcile_projects(ingest, [3])
    assert kept(ingest) == [1, 2]


def test_what_is_not_there_is_deleted_only_where_a_project_has_been_seen(ingest, site, tasks):
    site.answers["/api/projects/3"]["created_at"] = MADE
    event = an_event(annotation=an_annotation(1, task=1))
    event["body"]["project"]["created_at"] = MADE
    process_event(event, ingest)
    described = site.answers.pop("/api/projects/3")
    assert "nothing is deleted" in reconcile_projects(ingest, [3])
    site.answers["/api/projects/3"] = described
    reconcile_projects(ingest, [3])
    del site.answers["/api/projects/3"]
    assert "3 annotations deleted" in reconcile_projects(ingest, [3])


def test_an_annotation_that_another_project_has_is_not_replaced(ingest):
    process_event(an_event(), ingest)
    event = an_event(annotation=an_annotation(1, updated="2026-12-01T00:00:00Z"))
    event["body"]["project"]["id"] = 8
    assert "set DYNAMITE_LABEL_STUDIO_NAME" in process_event(event, ingest)
    assert [a.project for a in ingest.store.annotations()] == [3]


def test_what_was_deleted_though_label_studio_has_it_is_stored_again(ingest, site, tasks):
    reconcile_projects(ingest, [3])
    project = site.answers.pop("/api/projects/3")
    assert "deleted in Label Studio; 3 annotations deleted here" in reconcile_projects(ingest, [3])
    site.answers["/api/projects/3"] = project
    delete_annotations([1], ingest.store, ingest.bookkeeping)
    assert "3 stored" in reconcile_projects(ingest, [3])
    delete_tasks([2], ingest.store, ingest.bookkeeping)
    assert "1 stored" in reconcile_projects(ingest, [3])
    assert kept(ingest) == [1, 2, 3]


def test_a_task_compared_before_is_compared_again_if_the_counts_do_not_agree(ingest, tasks):
    for task in tasks:
        ingest.bookkeeping.note_compared(task["id"], 3, f"{TIME[:-1]}.000000+00:00 1 0", 0)
    assert "3 stored" in reconcile_projects(ingest, [3])


def test_half_a_character_in_an_address_keeps_no_other_task_out(ingest, tasks):
    """JSON can hold such a text, but it cannot be encoded."""
    tasks[0]["data"]["image"] = "/data/\ud800.png"
    reconcile_projects(ingest, [3])
    assert kept(ingest) == [2, 3]
    assert rejected(ingest) == [(1, "bad_annotation")]


def test_a_bad_annotation_keeps_no_good_one_of_its_task_out(ingest, site, tasks):
    good, bad = an_annotation(9), an_annotation(1) | {"updated_at": None}
    site.answers["/api/tasks/1/annotations"] = [bad, good]
    reconcile_projects(ingest, [3])
    assert kept(ingest) == [2, 3, 9]
    assert rejected(ingest) == [(1, "bad_annotation")]
    site.answers["/api/tasks/1/annotations"] = [good]
    del site.answers["/api/annotations/1"]
    reconcile_projects(ingest, [3])
    assert rejected(ingest) == [], "it is not there any more"
    site.answers["/api/tasks/1/annotations"] = [bad | {"id": 7}]
    delete_annotations([9], ingest.store, ingest.bookkeeping)
    reconcile_projects(ingest, [3])
    assert rejected(ingest) == [(7, "bad_annotation")]
    del site.answers["/api/tasks/1"]
    site.answers["/api/tasks"] = {"tasks": tasks[1:], "total": 2}
    reconcile_projects(ingest, [3])
    assert rejected(ingest) == [], "nor is its task"


def test_an_image_that_is_away_keeps_no_other_annotation_of_its_task_out(ingest, site, tasks):
    ingest.images.is_away = True
    skipped = an_annotation(4, task=1, was_cancelled=True)
    site.answers["/api/tasks/1/annotations"].append(skipped)
    assert "1 stored, 0 deleted, 3 tasks to be tried again" in reconcile_projects(ingest, [3])
    ingest.images.is_away = False
    assert "3 stored" in reconcile_projects(ingest, [3])


@pytest.mark.parametrize("wrong", [{"updated_at": None}, {"id": 10**30}])
def test_a_faulty_task_stops_neither_other_tasks_nor_other_projects(ingest, site, tasks, wrong):
    site.answers["/api/projects/2"] = site.answers["/api/projects/3"] | {"id": 2}
    tasks[0].update(wrong)
    told = reconcile_projects(ingest, [2, 3])
    assert told.count("tasks to be tried again") == 2
    assert {2, 3} <= set(kept(ingest))


def test_what_was_set_aside_is_taken_in_once_the_labelling_config_is_mended(ingest, site, tasks):
    annotation = an_annotation(1, brush(mask(), "C"))
    site.answers["/api/tasks/1/annotations"] = [annotation]
    reconcile_projects(ingest, [3])
    assert rejected(ingest) == [(1, "unknown_label")]
    assert "0 stored" in reconcile_projects(ingest, [3])
    site.answers["/api/projects/3"] = {"id": 3, "label_config": write(["A", "B", "C"])}
    assert "1 stored" in reconcile_projects(ingest, [3])
    assert rejected(ingest) == []


def test_an_image_is_fetched_again_only_where_that_may_mend_what_is_set_aside(
    ingest, site, tasks, monkeypatch
):
    good, empty = brush(mask()), brush(mask(width=0), name="empty")
    site.answers["/api/tasks/1/annotations"] = [an_annotation(1, good, empty)]
    tasks[1]["data"]["image"] = "/data/missing.png"
    reconcile_projects(ingest, [3])
    assert rejected(ingest) == [(1, "empty_mask"), (2, "image_missing")]
    fetched, fetch = [], ingest.images.fetch
    monkeypatch.setattr(
        ingest.images, "fetch", lambda *asked: fetched.append(asked[0]) or fetch(*asked)
    )
    reconcile_projects(ingest, [3])
    assert fetched == ["/data/missing.png"]
    assert kept(ingest) == [1, 2, 3]


def test_hosts_that_do_not_answer_keep_no_later_project_from_being_compared(
    ingest, site, tasks, monkeypatch
):
    now, fetched = [0.0], []

    def silent(value, task_id):
        fetched.append(task_id)
        now[0] += 0.4 * SECONDS
        raise ImageTimeoutError(f"{value} did not arrive")

    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("backend.label_studio.ingest.sync.time", clock)
    monkeypatch.setattr(ingest.images, "fetch", silent)
    site.answers["/api/projects/2"] = site.answers["/api/projects/3"] | {"id": 2}
    told = reconcile_projects(ingest, [2, 3])
    assert fetched == [1, 2, 1]
    assert told.count("3 tasks to be tried again") == 2


@pytest.mark.usefixtures("many_held_out")
def test_what_was_accepted_during_a_training_starts_the_next_without_label_studio(make_ingest):
    ingest = make_ingest(train_after=2)
    enqueue_training(ingest.redis, request("d"), 3600)
    for number in (1, 2):
        event = an_event(annotation=an_annotation(number, task=number), image=f"/{number}.png")
        process_event(event, ingest)
    (job,) = train_queue(ingest.redis).jobs
    train_queue(ingest.redis).remove(job)
    job.delete()
    reconcile_projects(ingest)
    assert train_queue(ingest.redis).count == 1


def test_a_project_that_cannot_be_compared_is_an_error_to_who_asks_for_it_alone(ingest, site):
    site.answers.clear()
    with pytest.raises(TryLaterError, match="answers 404"):
        reconcile_project(ingest, 3)


def test_a_project_that_was_seen_without_tasks_is_known_to_be_deleted(ingest, site):
    site.answers["/api/projects/3"] = {"id": 3, "created_at": MADE}
    site.answers["/api/tasks"] = {"tasks": [], "total": 0}
    reconcile_projects(ingest, [3])
    del site.answers["/api/projects/3"]
    assert "project 3: deleted in Label Studio; 0 annotations deleted here" in reconcile_projects(
        ingest, [3]
    )
    assert "Label Studio has no project 8" in reconcile_projects(ingest, [8])
