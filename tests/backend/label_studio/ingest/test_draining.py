"""Events that wait are taken along by the process that deals with one."""

import json

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import JobQueue, ingest_queue
from backend.label_studio.ingest.draining import AT_ONCE, SECONDS, process_queued
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.job_names import EVENT_JOB
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event

pytestmark = pytest.mark.security


@pytest.fixture
def put(queue_server, tmp_path):
    """Puts events into the queue as webhooks do, but with all the time a busy machine needs."""
    queue = JobQueue(queue_server, tmp_path / "spool", EVENT_JOB, answer_seconds=30)
    yield lambda *events: [queue.put(json.loads(json.dumps(event))) for event in events]
    queue.close()


def events(*numbers):
    return [an_event(annotation=an_annotation(n, task=n)) for n in numbers]


def stored(ingest):
    return [a.annotation_id for a in ingest.store.annotations()]


def test_all_that_waits_is_dealt_with_and_leaves_the_queue(ingest, put):
    put(*events(1, 2, 3))
    assert process_queued(ingest) == 3
    assert stored(ingest) == [1, 2, 3]
    assert ingest.redis.keys("rq:job:*") == []
    assert ingest_queue(ingest.redis).count == 0


MALFORMED = [
    None,
    [],
    {},
    {"body": []},
    {"body": {"action": "START_TRAINING"}, "verified": True},
    an_event(source=7),
    an_event(annotation={"id": 2**70, "task": 1}),
    an_event(annotation=an_annotation(9), image="/data/\ud800.png"),
]


def test_what_is_malformed_is_refused_and_leaves_the_queue(ingest, put, caplog):
    """Whoever can write to the queue server may have put it there."""
    queue = ingest_queue(ingest.redis)
    put(events(1)[0])
    for event in MALFORMED:
        queue.enqueue(EVENT_JOB, json.loads(json.dumps(event)))
    put(events(2)[0])
    other = queue.enqueue("backend.retraining.jobs.clean")
    assert process_queued(ingest) == 2 + len(MALFORMED)
    assert stored(ingest) == [1, 2]
    assert queue.job_ids == [other.id]
    (line,) = caplog.messages  # not one for each: there may be thousands
    assert line.startswith(f"{len(MALFORMED)} events are refused; the last: annotation 9: ")


def test_what_is_malformed_does_not_come_before_what_is_not_again_and_again(ingest, put):
    """Each job has time for so many events only; it must not spend it on the same ones."""
    put(*[{"body": None}] * 4, events(1)[0])
    for handled in (2, 2, 1):
        times = iter([0.0, 1.0, 2.0, SECONDS + 1])
        assert process_queued(ingest, lambda times=times: next(times)) == handled
    assert stored(ingest) == [1]


def claims(*numbers):
    return [an_event(verified=False, annotation=an_annotation(n, task=n)) for n in numbers]


def order(ingest, monkeypatch, meanwhile=lambda number: None):
    """The numbers of the annotations in the order in which they are processed."""
    found = []

    def process(event, _):
        found.append(event["body"]["annotation"]["id"])
        meanwhile(found[-1])

    monkeypatch.setattr("backend.label_studio.ingest.draining.process_event", process)
    process_queued(ingest)
    return found


def test_a_flood_of_what_must_be_confirmed_delays_no_event_that_proves_itself(
    ingest, put, monkeypatch
):
    put(*claims(*range(100, 200)), *events(1, 2))
    found = order(ingest, monkeypatch, lambda number: number == 190 and put(*events(3)))
    assert found[:2] == [1, 2]
    assert found.index(3) - found.index(190) <= AT_ONCE
    assert sorted(found) == [1, 2, 3, *range(100, 200)]


def test_of_events_to_be_confirmed_the_newest_comes_first(ingest, put, monkeypatch):
    """So a flood delays none that comes after it, where nobody can prove himself."""
    put(*claims(*range(100)))
    found = order(ingest, monkeypatch, lambda number: number == 99 and put(*claims(1000)))
    assert found[0] == 99
    assert found.index(1000) <= AT_ONCE
    assert len(found) == 101


def test_what_fails_waits_behind_the_others(ingest, put, monkeypatch):
    put(*events(1, 2, 3))
    queue = ingest_queue(ingest.redis)
    failing, *others = queue.job_ids

    def process(event, ingest):
        if event["body"]["annotation"]["id"] == 1:
            raise OSError("the disk is full")
        process_event(event, ingest)

    monkeypatch.setattr("backend.label_studio.ingest.draining.process_event", process)
    times = iter([0.0, 1.0, 2.0, SECONDS + 1])
    assert process_queued(ingest, lambda: next(times)) == 1
    assert queue.job_ids == [others[1], failing]
    assert stored(ingest) == [2]


def test_one_that_fails_and_was_taken_meanwhile_is_not_doubled(ingest, put, monkeypatch):
    put(*events(1))
    queue = ingest_queue(ingest.redis)

    def process(event, ingest):
        queue.remove(queue.job_ids[0])
        raise OSError("the disk is full")

    monkeypatch.setattr("backend.label_studio.ingest.draining.process_event", process)
    assert process_queued(ingest) == 0
    assert queue.job_ids == []


def test_a_job_that_cannot_be_read_is_left_to_the_worker(ingest, put):
    put(*events(1, 2))
    queue = ingest_queue(ingest.redis)
    ingest.redis.hset(queue.jobs[0].key, "data", b"[" * 2000)
    left = queue.job_ids[0]
    assert process_queued(ingest) == 1
    assert queue.job_ids == [left]


def test_one_that_another_worker_has_taken_meanwhile_stays_his(ingest, put, monkeypatch):
    put(*events(1, 2))
    queue = ingest_queue(ingest.redis)
    first, second = queue.job_ids

    def process_event(event, ingest):
        queue.remove(first)  # as a worker's BLMOVE does

    monkeypatch.setattr("backend.label_studio.ingest.draining.process_event", process_event)
    assert process_queued(ingest) == 1
    assert queue.fetch_job(first) is not None
    assert queue.fetch_job(second) is None


def test_it_goes_on_for_a_while_only(ingest, put):
    put(*events(1, 2, 3))
    times = iter([0.0, 1.0, SECONDS - 1, SECONDS + 1])
    assert process_queued(ingest, lambda: next(times)) == 2
    assert ingest_queue(ingest.redis).count == 1


def test_a_job_tried_again_takes_no_other_along(ingest, put, queue_server, tmp_path, monkeypatch):
    monkeypatch.setenv("REDIS_URL", queue_server)
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(tmp_path / "state"))
    along = []
    monkeypatch.setattr(
        "backend.label_studio.ingest.draining.process_queued", lambda _: along.append(1)
    )
    taken = []

    def fail_once(event, _):
        taken.append(event)
        if len(taken) == 1:
            raise OSError("killed, as it were")
        return "done"

    monkeypatch.setattr("backend.label_studio.ingest.events.process_event", fail_once)
    put(events(1)[0])
    queue = ingest_queue(ingest.redis)
    worker = SimpleWorker([queue], connection=ingest.redis, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    assert len(taken) == 2
    assert along == []
    put(events(2)[0])
    worker.work(burst=True, logging_level="CRITICAL")
    assert along == [1]
