"""Events that could not be dealt with at once, and jobs that failed."""

from datetime import UTC, datetime, timedelta

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import PATIENCE_SECONDS, RETRIES, JobQueue, ingest_queue
from backend.label_studio.ingest.events import SECONDS, process_event
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.label_studio.ingest.jobs import reconcile
from backend.label_studio.ingest.retries import try_again
from backend.label_studio.ingest.sync import reconcile_projects
from backend.retraining.status import Backlog, last_backlog
from backend.settings import load
from backend.settings.folders import store_folder
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event
from training.annotation_store import AnnotationStore


def kept(ingest):
    return [a.annotation_id for a in ingest.store.annotations()]


def rejected(ingest):
    return [(row["annotation"], row["code"]) for row in ingest.store.rejected()]


def waiting(ingest):
    return [event["body"]["annotation"]["id"] for event, _ in ingest.bookkeeping.waiting()]


def away(ingest, *numbers):
    """Have events wait."""
    ingest.images.is_away = True
    for number in numbers:
        event = an_event(annotation=an_annotation(number, task=number))
        assert "waits" in process_event(event, ingest)


def test_whatever_is_wrong_with_one_that_waits_does_not_stop_the_others(ingest):
    away(ingest, 1, 2)
    ingest.images.is_away = False
    fetch = ingest.images.fetch

    def fetch_but_once(value, task_id=None):
        ingest.images.fetch = fetch
        raise OverflowError("nobody thought of this")

    ingest.images.fetch = fetch_but_once
    try_again(ingest)
    assert kept(ingest) == [2]
    assert waiting(ingest) == [1]
    try_again(ingest)
    assert kept(ingest) == [1, 2]


def test_one_that_turns_out_to_be_bad_is_listed_and_waits_no_longer(make_ingest, site, api):
    ingest = make_ingest(train_after=0)
    assert "waits" in process_event(an_event(verified=False), ingest)
    site.answers["/api/annotations/1"] = an_annotation(1) | {"updated_at": None}
    site.answers["/api/tasks/1"] = {"id": 1, "project": 3, "data": {"image": "/data/a.png"}}
    site.answers["/api/projects/3"] = an_event()["body"]["project"]
    try_again(type(ingest)(**(vars(ingest) | {"api": api})))
    assert waiting(ingest) == []
    assert rejected(ingest) == [(1, "bad_annotation")]


@pytest.mark.parametrize("verified", [True, False])
def test_one_that_waited_too_long_is_given_up_and_listed(ingest, verified):
    ingest.images.is_away = True
    for number, age in ((1, PATIENCE_SECONDS + 60), (2, PATIENCE_SECONDS - 60)):
        received = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
        annotation = an_annotation(number, task=number)
        process_event(
            an_event(annotation=annotation, verified=verified, received_at=received), ingest
        )
    try_again(ingest)
    assert waiting(ingest) == [2]
    assert rejected(ingest) == [(1, "given_up")]


def test_hosts_that_do_not_answer_take_a_while_of_an_event_and_of_a_comparison_only(
    ingest, monkeypatch
):
    event = an_event("ANNOTATIONS_CREATED")
    event["body"]["annotation"] = [an_annotation(n) for n in (1, 2)]
    monkeypatch.setattr("backend.label_studio.ingest.events.SECONDS", -1.0)
    assert "waits: the others of its event took too long" in process_event(event, ingest)
    assert waiting(ingest) == [1, 2]
    monkeypatch.setattr("backend.label_studio.ingest.retries.SECONDS", -1.0)
    assert "0 events tried again" in try_again(ingest)
    monkeypatch.undo()
    try_again(ingest)
    assert kept(ingest) == [1, 2]


def test_those_tried_again_in_vain_go_to_the_end_of_the_line(ingest):
    away(ingest, 1, 2, 3)
    times = iter([0.0, 1.0, SECONDS - 1, SECONDS + 1])
    assert "2 events tried again" in try_again(ingest, lambda: next(times))
    assert waiting(ingest) == [3, 1, 2]


def test_a_deletion_that_waited_too_long_is_given_up(ingest):
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}
    process_event(
        {"body": gone, "verified": False, "received_at": "2020-01-01T00:00:00+00:00"}, ingest
    )
    try_again(ingest)
    assert ingest.bookkeeping.waiting() == []


@pytest.fixture
def work(ingest, queue_server, tmp_path, monkeypatch):
    """Posts events and works on all that is queued, with the settings of a site."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", queue_server)
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(tmp_path / "site"))
    monkeypatch.setattr("backend.label_studio.ingest.ingest.open_fetcher", lambda *_: ingest.images)
    queue = JobQueue(queue_server, tmp_path / "spool", EVENT_JOB, answer_seconds=30)

    def do(*events):
        for event in events:
            queue.put(event)
        jobs = ingest_queue(ingest.redis)
        worker = SimpleWorker([jobs], connection=ingest.redis, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="CRITICAL")
        return jobs.failed_job_registry.get_job_ids()

    yield do
    queue.close()


def test_what_waits_and_what_is_set_aside_is_told_after_each_event(ingest, work):
    work(an_event())
    assert last_backlog(ingest.redis) == Backlog(0, "", 0, "")
    ingest.images.is_away = True
    work(*(an_event(annotation=an_annotation(n, task=n), image=f"/{n}.png") for n in (2, 3)))
    told = last_backlog(ingest.redis)
    assert (told.waiting, told.set_aside) == (2, 0)
    assert "/3.png cannot be reached" in told.waits_for
    ingest.images.is_away = False
    work(an_event(annotation=an_annotation(4, task=4), image="/missing.png"))
    told = last_backlog(ingest.redis)
    assert (told.waiting, told.set_aside) == (2, 1)
    assert "image_missing: there is no image at /missing.png" in told.set_aside_for


def test_what_waits_is_told_after_each_comparison(ingest):
    away(ingest, 1, 2)
    reconcile_projects(ingest)
    assert last_backlog(ingest.redis).waiting == 2
    ingest.images.is_away = False
    reconcile_projects(ingest)
    assert last_backlog(ingest.redis) == Backlog(0, "", 0, "")


def test_a_failure_that_used_up_all_attempts_is_taken_up_again(ingest, work, tmp_path):
    (tmp_path / "site").mkdir()
    blocked = tmp_path / "site" / "retraining"
    blocked.write_text("no folder can be made here")
    assert len(work(an_event())) == 1
    try_again(ingest)
    assert len(work()) == 1, "still away"
    blocked.unlink()
    assert "1 events tried again" in try_again(ingest)
    assert work() == []
    with AnnotationStore(store_folder(load())) as store:
        assert [a.annotation_id for a in store.annotations()] == [1]


def test_where_nothing_is_compared_with_label_studio_what_waits_is_tried_again_still(
    ingest, work, site, monkeypatch
):
    monkeypatch.setenv("DYNAMITE_RECONCILE_MINUTES", "0")
    monkeypatch.setenv("LABEL_STUDIO_URL", site.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-legacy-token")
    ingest.images.is_away = True
    assert work(an_event()) == []
    ingest.images.is_away = False
    assert reconcile() == "1 events tried again"
    with AnnotationStore(store_folder(load())) as store:
        assert [a.annotation_id for a in store.annotations()] == [1]


def test_a_job_that_has_failed_for_too_long_is_left(ingest, work, tmp_path):
    (tmp_path / "site").write_text("no folder")
    (job_id,) = work(an_event())
    job = ingest_queue(ingest.redis).fetch_job(job_id)
    job.created_at = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS + 60)
    job.save()
    assert "0 events tried again" in try_again(ingest)


def test_a_bad_event_is_refused_at_the_first_attempt(ingest, work, monkeypatch):
    attempts = []

    def count(event, ingest):
        attempts.append(event)
        return process_event(event, ingest)

    monkeypatch.setattr("backend.label_studio.ingest.events.process_event", count)
    assert work(an_event(annotation=an_annotation(1) | {"updated_at": None})) == []
    assert len(attempts) == 1 < RETRIES
    with AnnotationStore(store_folder(load())) as store:
        assert [row["code"] for row in store.rejected()] == ["bad_annotation"]


def test_the_folder_of_the_store_away_is_a_reason_to_try_again_later(
    ingest, work, tmp_path, monkeypatch
):
    share = tmp_path / "share"
    monkeypatch.setenv("DYNAMITE_RETRAINING_DIR", str(share / "retraining"))
    assert len(work(an_event())) == 1
    assert not share.exists()
    (share / "retraining").mkdir(parents=True)
    try_again(ingest)
    assert work() == []
    with AnnotationStore(store_folder(load())) as store:
        assert len(store.annotations()) == 1


def test_what_must_be_confirmed_takes_limited_room_while_label_studio_is_away(ingest, monkeypatch):
    monkeypatch.setattr("backend.label_studio.ingest.events.MOST_WAITING", 1)
    for number, said in (1, "waits"), (2, "dropped"):
        claim = an_event(verified=False, annotation=an_annotation(number))
        assert said in process_event(claim, ingest)
    assert ingest.bookkeeping.count_waiting()[0] == 1
