"""Whatever lies in the queue server, the pages for people and monitoring answer."""

import json

import pytest

from backend.jobs.job_queue import QUEUES
from backend.retraining.due import due_key
from backend.retraining.status import BACKLOG_KEY, asked_key
from backend.retraining.training_queue import last_job_key, train_queue

pytestmark = pytest.mark.security

PAGES = ("/", "/metrics", "/versions", "/health")

ODD = [
    b"",
    b"{",
    b"\xff\xfe",
    b"null",
    b"5",
    b"[]",
    b'"x"',
    b"{}",
    b'{"waiting": 1}',
    b"[" * 100_000,
]

BACKLOG = {"waiting": 1, "waits_for": "a", "set_aside": 2, "set_aside_for": "b"}
DUE = {"new": 12, "enough": 50, "held_out": None, "least": 8}
ASKED = {"when": "2026-01-01", "reason": "a", "outcome": "b"}


def assert_all_answer(backend):
    for page in PAGES:
        answer = backend.client.get(page)
        assert answer.status_code == 200, (page, answer.text)
    assert backend.parts.journal.counts == {}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:9]))
def test_notes_that_are_none(backend, redis, odd):
    redis.set(BACKLOG_KEY, odd)
    redis.set(asked_key(backend.settings.line), odd)
    redis.set(due_key(backend.settings.line), odd)
    assert_all_answer(backend)


@pytest.mark.parametrize("value", ["x", None, [1], {"a": 1}, 10**400, -1, True, "\ud800", 1e999])
def test_notes_with_odd_fields(backend, redis, value):
    for name in BACKLOG:
        redis.set(BACKLOG_KEY, json.dumps(BACKLOG | {name: value}))
        assert_all_answer(backend)
    for name in ASKED:
        redis.set(asked_key(backend.settings.line), json.dumps(ASKED | {name: value}))
        assert_all_answer(backend)
    for name in DUE:
        redis.set(due_key(backend.settings.line), json.dumps(DUE | {name: value}))
        assert_all_answer(backend)


@pytest.mark.parametrize(
    "progress",
    [
        "x",
        [1],
        {"phase": [1], "done": "x"},
        {"done": -1, "total": 10**400},
        {"total": "\ud800"},
        {"total": 5},
    ],
)
@pytest.mark.parametrize("reason", ["x", 5, None, {"a": 1}])
def test_trainings_with_odd_fields(backend, redis, progress, reason):
    queue = train_queue(redis)
    job = queue.enqueue("x.y", meta={"line": "shared", "progress": progress, "reason": reason})
    redis.set(last_job_key(backend.settings.line), job.id)
    assert_all_answer(backend)
    job.set_status("started")
    assert_all_answer(backend)
    redis.hset(job.key, "status", b"\xff")
    assert_all_answer(backend)
    redis.hset(job.key, "data", b"\xff")
    redis.hset(job.key, "created_at", b"never")
    assert_all_answer(backend)


def test_keys_of_the_wrong_kind(backend, redis):
    for key in (BACKLOG_KEY, asked_key(backend.settings.line)):
        redis.rpush(key, "x")
    for name in QUEUES:
        redis.set(f"rq:queue:{name}", "x")
        redis.set(f"rq:wip:{name}", "x")
        redis.set(f"rq:failed:{name}", "x")
    assert_all_answer(backend)


def test_members_that_are_no_names(make_backend, redis):
    backend = make_backend(cvat=True)
    for name in QUEUES:
        redis.sadd(f"rq:workers:{name}", b"\xff")
        assert_all_answer(backend)
        redis.zadd(f"rq:failed:{name}", {b"\xff": 1})
        redis.zadd(f"rq:wip:{name}", {b"\xff": 1})
        assert_all_answer(backend)
    for odd in ODD:
        redis.set("dynamite:waiting:cvat", odd)
        assert_all_answer(backend)


def test_right_values_are_shown(backend, redis):
    redis.set(BACKLOG_KEY, json.dumps(BACKLOG))
    redis.set(asked_key(backend.settings.line), json.dumps(ASKED))
    assert 'dynamite_annotations{state="set_aside"} 2.0' in backend.client.get("/metrics").text
    job = train_queue(redis).enqueue("x.y", meta={"reason": "enough"})
    redis.set(last_job_key(backend.settings.line), job.id)
    versions = backend.client.get("/versions").json
    assert versions["asked"] == ASKED
    assert versions["training"]["reason"] == "enough"


def test_the_page_shows_how_far_trainings_are_and_where_clicks_have_no_masks(backend, redis):
    line = backend.settings.line
    redis.set(due_key(line), json.dumps(DUE))
    told = {"no_mask": 7, "no_mask_in": "task 5 of project 3, task 2 of project 3"}
    redis.set(BACKLOG_KEY, json.dumps(BACKLOG | told))
    progress = {"phase": "training", "done": 412, "total": 2000, "seconds_left": 61}
    job = train_queue(redis).enqueue("x.y", meta={"progress": progress, "reason": "enough"})
    job.set_status("started")
    redis.set(last_job_key(line), job.id)
    page = backend.client.get("/").text
    assert "12 of 50 new annotations until the next training" in page
    assert '<progress max="50" value="12">' in page
    assert "training 412 of 2000, 0:01:01 left" in page
    assert '<progress max="2000" value="412">' in page
    assert "7 submitted without ✓: task 5 of project 3, task 2 of project 3, …" in page
