"""Two Label Studios that feed one retraining folder under names of their own."""

import pytest

from backend.label_studio import known_projects
from backend.label_studio.config_writer import write
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.events import WrongSourceError, process_event
from backend.label_studio.ingest.retries import try_again
from backend.label_studio.ingest.sync import all_projects, reconcile_projects
from backend.retraining.requesting import request_training, take_snapshot
from backend.retraining.training_queue import train_queue
from backend.serving.answer_log import Answered, AnswerLog, recall
from backend.session.bitmask import BitMask
from tests.backend.label_studio.ingest.conftest import (
    SIZE,
    SOURCE,
    an_annotation,
    an_event,
    brush,
    mask,
    parts,
)
from tests.fakes import Photos
from training.annotation_store import AnnotationKey, Origin, ProjectKey

LATER = "2026-11-25T07:10:40.783276Z"


@pytest.fixture
def make_both(make_ingest):
    """The ingest of two Label Studios with one store and one queue server."""

    def build(**settings):
        berlin = make_ingest(**({"train_after": 0} | settings))
        name = {"label_studio_name": "paris"}
        folder = berlin.store.folder.parent
        paris = type(berlin)(
            berlin.settings.model_copy(update=name),
            berlin.store,
            Bookkeeping(folder / "paris.sqlite"),
            Photos(*SIZE),
            berlin.redis,
            None,
        )
        opened.append(paris.bookkeeping)
        return berlin, paris

    opened = []
    yield build
    for one in opened:
        one.close()


@pytest.fixture
def both(make_both):
    return make_both()


def kept(ingest):
    return [(one.source, one.annotation_id) for one in ingest.store.annotations()]


def test_equal_numbers_are_different_annotations(both):
    berlin, paris = both
    process_event(an_event(annotation=an_annotation(1, brush(mask(), "A"))), berlin)
    process_event(an_event(annotation=an_annotation(1, brush(mask(), "B"), updated=LATER)), paris)
    assert kept(berlin) == [(SOURCE, 1), ("paris", 1)]
    labels = [one.images[0].regions[0].label for one in berlin.store.annotations()]
    assert labels == ["A", "B"]


def test_neither_the_project_nor_its_creation_is_taken_for_the_others(both):
    for ingest, created in zip(both, ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"), strict=True):
        event = an_event()
        event["body"]["project"]["created_at"] = created
        assert "stored" in process_event(event, ingest)
    assert len(kept(both[0])) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]},
        {"action": "TASKS_DELETED", "tasks": [{"id": 1}]},
        {"action": "PROJECT_DELETED", "project": {"id": 3}},
    ],
)
def test_a_deletion_in_one_leaves_the_other_alone(both, body):
    berlin, paris = both
    for ingest in both:
        process_event(an_event(), ingest)
        ingest.bookkeeping.note_compared(1, 3, "as it was", 1)
    process_event({"body": body, "verified": True}, paris)
    assert kept(berlin) == [(SOURCE, 1)]
    assert berlin.bookkeeping.compared(3) == {1: "as it was"}
    later = an_event(annotation=an_annotation(1, updated=LATER))
    assert "stored" in process_event(later, berlin)
    assert "has been deleted" in process_event(later, paris)


def test_a_worker_leaves_the_events_of_the_other_in_the_queue(both):
    berlin, paris = both
    event = an_event(source="paris")
    with pytest.raises(WrongSourceError, match="REDIS_URL"):
        process_event(event, berlin)
    assert (kept(berlin), berlin.bookkeeping.waiting()) == ([], [])
    process_event(event, paris)
    assert kept(berlin) == [("paris", 1)]


def test_a_comparison_deletes_only_what_came_from_its_own_label_studio(both, site, api):
    berlin, paris = both
    for ingest in both:
        process_event(an_event(), ingest)
    site.answers["/api/projects/3"] = {"id": 3, "label_config": write(["A"])}
    site.answers["/api/tasks"] = {"tasks": [], "total": 0}
    told = reconcile_projects(type(paris)(**(vars(paris) | {"api": api})))
    assert "project 3: 0 stored, 1 deleted" in told
    assert kept(berlin) == [(SOURCE, 1)]


def test_what_waits_for_one_is_tried_again_by_that_one(both):
    berlin, paris = both
    paris.images.is_away = True
    assert "waits" in process_event(an_event(), paris)
    paris.images.is_away = False
    assert try_again(berlin) == "0 events tried again"
    assert try_again(paris) == "1 events tried again"
    assert kept(paris) == [("paris", 1)]


def test_only_its_own_projects_are_compared(make_both):
    berlin, paris = make_both(lines="plants=5 cells=paris:6 other=cvat:7")
    process_event(an_event(), paris)
    known_projects.note(berlin.redis, SOURCE, 8)
    known_projects.note(berlin.redis, "paris", 9)
    assert all_projects(berlin) == [5, 8]
    assert all_projects(paris) == [3, 5, 6, 9]  # a bare number is its own project there
    known_projects.forget(berlin.redis, "paris", 8)
    assert known_projects.connected(berlin.redis, SOURCE) == {8}


def test_an_answer_to_one_says_nothing_of_the_others_mask(both, queue_server):
    berlin, _ = both
    log = AnswerLog(queue_server)
    log.note("paris", "1", [Answered("r1", BitMask.of(mask()).digest, "lite-1", 3)])
    log.close()
    assert recall(berlin.redis, SOURCE, 1) == {}
    for ingest in both:
        process_event(an_event(), ingest)
    origins = {
        source: berlin.store.annotation(AnnotationKey(source, 1)).images[0].regions[0].origin
        for source in (SOURCE, "paris")
    }
    assert origins == {SOURCE: Origin.DRAWN, "paris": Origin.UNCHANGED}


def test_equal_projects_train_the_lines_that_the_settings_name(make_both):
    berlin, paris = make_both(lines="cells=paris:3", holdout_share=1e-9)
    for number in (1, 2):
        event = an_event(annotation=an_annotation(number, task=number), image=f"/{number}.png")
        process_event(event, berlin)
    process_event(an_event(image="/paris.png"), paris)
    for line in ("shared", "cells"):
        request_training(*parts(berlin), line, "test")
    images = {
        job.args[0]["line"]: sum(job.args[0]["images"].values())
        for job in train_queue(berlin.redis).jobs
    }
    assert images == {"shared": 2, "cells": 1}


@pytest.mark.usefixtures("many_held_out")
def test_new_annotations_of_one_do_not_start_the_training_of_the_others_line(make_both):
    berlin, paris = make_both(train_after=2, lines="cells=paris:3")
    process_event(an_event(), berlin)
    process_event(an_event(), paris)
    assert train_queue(berlin.redis).count == 0
    process_event(an_event(annotation=an_annotation(2, task=2), image="/2.png"), paris)
    assert [job.args[0]["line"] for job in train_queue(berlin.redis).jobs] == ["cells"]


def test_only_the_project_that_is_named_is_exhaustive(make_both):
    berlin, paris = make_both(exhaustive_projects="paris:3", holdout_share=1e-9)
    process_event(an_event(), berlin)
    process_event(an_event(image="/paris.png"), paris)
    snapshot = take_snapshot(berlin.settings, berlin.store, "shared")
    text = (snapshot.folder / "corrected" / "annotations.json").read_text()
    assert (text.count('"exhaustive": true'), text.count('"exhaustive": false')) == (1, 1)
    assert berlin.store.projects() == [ProjectKey(SOURCE, 3), ProjectKey("paris", 3)]
