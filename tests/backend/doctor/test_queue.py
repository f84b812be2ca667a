"""What ``dynamite doctor`` reports about the queue and annotations not stored yet."""

import pytest
from redis import Redis
from rq import Queue, Worker

from backend.doctor.findings import Verdict
from backend.doctor.queue_checks import check_queue
from backend.retraining.status import Backlog, note_backlog
from backend.settings import load


@pytest.fixture
def redis(queue_server):
    with Redis.from_url(queue_server) as connection:
        connection.flushall()
        yield connection


def test_a_queue_that_answers_is_good(redis, queue_server):
    found, *_ = check_queue(load(redis_url=queue_server))
    assert found.verdict is Verdict.GOOD


def test_workers_that_are_gone_are_named_and_those_that_live_are_counted(redis, queue_server):
    def found(**more):
        findings = check_queue(load(redis_url=queue_server, **more))
        return [(one.verdict, one.message) for one in findings if one.check == "workers"]

    gone = found(memory=True)
    assert [verdict for verdict, _ in gone] == [Verdict.BAD] * 3
    assert "the jobs of ingest" in gone[0][1]
    assert "the jobs of train" in gone[1][1]
    assert "the jobs of memory" in gone[2][1]
    assert len(found()) == 2
    worker = Worker([Queue("ingest", connection=redis)], connection=redis)
    worker.register_birth()
    assert len(found(memory=True)) == 2
    assert found(train_worker=False) == [(Verdict.GOOD, "they live (ingest: 1, train: 0)")]
    redis.hdel(worker.key, "birth")  # as after a sleep
    assert found(train_worker=False)[0][0] is Verdict.BAD


@pytest.mark.parametrize("url", ["unix:///nowhere.sock", "redis://queue..internal"])
def test_one_that_does_not_is_to_be_mended(url):
    (found,) = check_queue(load(redis_url=url))
    assert found.verdict is Verdict.BAD
    assert "REDIS_URL" in found.fix


@pytest.mark.parametrize(
    ("backlog", "verdict", "words"),
    [
        (Backlog(3, "it answers 401", 1, "bad_mask: cut off"), Verdict.BAD, "it answers 401"),
        (Backlog(0, "", 1, "bad_mask: cut off"), Verdict.GOOD, "dynamite annotations rejected"),
        (Backlog(0, "", 0, ""), Verdict.GOOD, "none waiting"),
    ],
)
def test_annotations_that_wait_are_to_be_mended(redis, queue_server, backlog, verdict, words):
    note_backlog(redis, backlog)
    *_, found = check_queue(load(redis_url=queue_server))
    assert found.verdict is verdict
    assert words in found.message
