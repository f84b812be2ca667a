"""What ``dynamite doctor`` reports about the queue and annotations not stored yet."""

import pytest
from redis import Redis

from backend.doctor.checks import check_queue
from backend.doctor.findings import Verdict
from backend.retraining.status import Backlog, note_backlog
from backend.settings import load


@pytest.fixture
def redis(queue_server):
    with Redis.from_url(queue_server) as connection:
        connection.flushall()
        yield connection


def test_a_queue_that_answers_is_good(redis, queue_server):
    (found,) = check_queue(load(redis_url=queue_server))
    assert found.verdict is Verdict.GOOD


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
    _, found = check_queue(load(redis_url=queue_server))
    assert found.verdict is verdict
    assert words in found.message
