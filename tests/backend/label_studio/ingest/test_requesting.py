from dataclasses import replace

import pytest
from rq.job import JobStatus

from backend.label_studio.ingest.events import process_event
from backend.retraining.due import last_due
from backend.retraining.requesting import (
    TooFewHeldOutError,
    request_training,
    request_where_due,
    take_snapshot,
)
from backend.retraining.status import last_asked
from backend.retraining.training_queue import train_queue, waiting_job
from backend.settings import SettingsError, load
from backend.settings.folders import open_registry
from dynamite.registry import RegistryError
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event, brush, mask, parts


def accept(ingest, *numbers, project=3):
    for number in numbers:
        event = an_event(annotation=an_annotation(number, task=number), image=f"/data/{number}.png")
        event["body"]["project"]["id"] = project
        process_event(event, ingest)


START = {"action": "START_TRAINING", "project": {"id": 3}}


def test_the_button_starts_no_training_that_could_not_be_published(ingest):
    accept(ingest, *range(1, 6))
    words = process_event({"body": START, "verified": True}, ingest)
    assert "no training is requested: only" in words
    assert train_queue(ingest.redis).count == 0
    assert "images are held out" in last_asked(ingest.redis, "shared").outcome


def test_the_button_starts_one_training_however_often_it_is_pressed(make_ingest):
    ingest = make_ingest(judge_least=2)
    accept(ingest, *range(1, 16))
    for _ in range(3):
        process_event({"body": START, "verified": True}, ingest)
    (job,) = train_queue(ingest.redis).jobs
    assert job.func_name == "training.jobs.retrain"
    assert job.id.startswith("train-shared-")
    assert job.args[0]["images"]["corrected"] > 0
    assert last_asked(ingest.redis, "shared").outcome == f"{job.id} is queued already"
    job.set_status(JobStatus.FINISHED)
    process_event({"body": START, "verified": True}, ingest)
    asked = last_asked(ingest.redis, "shared")
    assert asked.reason == "the Start Training button of project 3"
    assert "done already: no annotation has changed since" in asked.outcome
    assert "queued" in request_training(*parts(ingest), "shared", "again", force=True)


def test_the_button_pressed_by_somebody_unknown_starts_what_would_start_anyway(make_ingest):
    ingest = make_ingest(train_after=0, judge_least=2)
    accept(ingest, *range(1, 16))
    unknown = {"body": START, "verified": False}
    assert "does not prove" in process_event(unknown, ingest)
    assert train_queue(ingest.redis).job_ids == []
    assert "DYNAMITE_WEBHOOK_SECRET" in last_asked(ingest.redis, "shared").outcome
    enough = replace(ingest, settings=ingest.settings.model_copy(update={"train_after": 10}))
    assert "is queued" in process_event(unknown, enough)


def test_a_failed_training_can_be_asked_for_again(ingest):
    accept(ingest, *range(1, 6))
    request_training(*parts(ingest), "shared", "first")
    (job,) = train_queue(ingest.redis).jobs
    train_queue(ingest.redis).remove(job)
    job.set_status(JobStatus.FAILED)
    assert "is queued: second" in request_training(*parts(ingest), "shared", "second")
    assert len(train_queue(ingest.redis).jobs) == 1


@pytest.mark.usefixtures("many_held_out")
def test_training_starts_after_n_new_annotations_and_not_before(make_ingest):
    ingest = make_ingest(train_after=4)
    accept(ingest, 1, 2, 3)
    assert train_queue(ingest.redis).count == 0
    accept(ingest, 4)
    assert train_queue(ingest.redis).count == 1
    accept(ingest, 5, 6, 7, 8, 9)  # one is on its way: no second one behind it
    assert train_queue(ingest.redis).count == 1
    due = last_due(ingest.redis, "shared")
    assert (due.new, due.held_out) == (5, None), "counted, but no image is read for it"


def test_enough_annotations_wait_for_enough_held_out_images(make_ingest):
    """A training whose result could not be published would cost an hour for nothing."""
    ingest = make_ingest(train_after=4, judge_least=2)
    accept(ingest, 1, 2, 3)
    assert last_due(ingest.redis, "shared").words == (
        "3 of 4 new annotations until the next training"
    )
    few = replace(ingest, settings=ingest.settings.model_copy(update={"judge_least": 8}))
    accept(few, *range(4, 16))
    due = last_due(ingest.redis, "shared")
    held_out = take_snapshot(ingest.settings, ingest.store, "shared").images["holdout"]
    assert (due.new, due.held_out) == (15, held_out)
    assert f"only {held_out} images are held out, and 8 are needed" in due.words
    assert train_queue(ingest.redis).count == 0
    accept(ingest, 16)
    (job,) = train_queue(ingest.redis).jobs
    assert job.meta["reason"] == "16 new annotations"
    assert last_due(ingest.redis, "shared").words.startswith("0 of 4 new annotations")


def test_where_none_starts_a_training_they_are_counted_all_the_same(ingest):
    accept(ingest, 1, 2)
    assert last_due(ingest.redis, "shared").words.startswith("2 new annotations; none starts")


def test_a_second_training_of_a_line_waits_for_the_first(ingest):
    accept(ingest, *range(1, 6))
    request_training(*parts(ingest), "shared", "first")
    accept(ingest, 6, 7)
    request_training(*parts(ingest), "shared", "second")
    assert train_queue(ingest.redis).count == 1
    waiting = waiting_job(ingest.redis, "shared")
    assert waiting.meta["reason"] == "second"
    (running,) = train_queue(ingest.redis).jobs
    assert waiting.args[0]["change"] > running.args[0]["change"]


def test_the_data_of_one_line_never_enter_anothers_training(make_ingest):
    ingest = make_ingest(train_after=0, lines="cells=7,8")
    accept(ingest, 1, 2, 3)
    accept(ingest, 11, 12, project=7)
    accept(ingest, 13, project=8)
    for line in ("shared", "cells"):
        request_training(*parts(ingest), line, "test")
    images = {
        job.args[0]["line"]: sum(job.args[0]["images"].values())
        for job in train_queue(ingest.redis).jobs
    }
    assert images == {"shared": 3, "cells": 3}


@pytest.mark.usefixtures("many_held_out")
def test_a_line_whose_models_are_away_keeps_no_other_from_being_asked_for(make_ingest, monkeypatch):
    ingest = make_ingest(train_after=2, lines="cells=3 plants=7")
    for project in (3, 7):
        accept(ingest, project, project=project)
    ingest = replace(ingest, settings=ingest.settings.model_copy(update={"train_after": 1}))

    def open_one(settings, line):
        if line == "cells":
            raise RegistryError("the folder of models is not there: is it mounted?")
        return open_registry(settings, line)

    monkeypatch.setattr("backend.retraining.requesting.open_registry", open_one)
    request_where_due(*parts(ingest))
    assert [job.args[0]["line"] for job in train_queue(ingest.redis).jobs] == ["plants"]


def test_what_could_not_be_published_is_not_trained_where_that_is_asked(ingest):
    accept(ingest, *range(1, 16))
    with pytest.raises(TooFewHeldOutError, match=r"images are held out, and 8 are .*--force"):
        request_training(*parts(ingest), "shared", "test", only_publishable=True)
    assert train_queue(ingest.redis).count == 0
    assert "is queued" in request_training(*parts(ingest), "shared", "test", force=True)
    enough = replace(ingest, settings=ingest.settings.model_copy(update={"judge_least": 2}))
    words = request_training(*parts(enough), "shared", "test", only_publishable=True)
    assert "is queued already" in words


def test_without_annotations_there_is_nothing_to_train_on(ingest):
    assert "nothing to train" in process_event({"body": START, "verified": True}, ingest)
    assert train_queue(ingest.redis).count == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": "plants"},
        {"lines": "a=1 b=1"},
        {"train_schedule": "often"},
        {"train_schedule": "0 0 31 2 *"},
        {"exhaustive_projects": "some"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(SettingsError):
        load(**wrong)


def test_an_annotation_whose_masks_are_all_bad_is_no_news(make_ingest):
    ingest = make_ingest(train_after=1)
    process_event(an_event(annotation=an_annotation(1, brush(mask(width=0)))), ingest)
    assert train_queue(ingest.redis).count == 0
