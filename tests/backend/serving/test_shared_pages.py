"""Pages in a real queue server: shared by backends, never waited for, never older than known."""

import socket
import time

import numpy as np
import pytest

from backend.serving import shared_pages
from backend.serving.shared_pages import SharedPages
from backend.session.annotator_page import AnnotatorPage, PageObject
from backend.session.bitmask import BitMask
from backend.session.page_bytes import KeptPage
from backend.session.regions import ImageKey


@pytest.fixture
def opened(redis, queue_server):
    """Opens backends' views of one queue server; the closed ones write what waits."""
    found = []

    def open_it(url=queue_server):
        found.append(SharedPages(url))
        return found[-1]

    yield open_it
    for one in found:
        one.close()


def pages(name, pixels=10):
    mask = BitMask.of(np.random.default_rng(0).random((pixels, pixels)) < 0.5)
    thing = PageObject(name, "A", ImageKey("image"), 0, shown=mask)
    return (KeptPage(AnnotatorPage("1/7", user=name, objects={name: thing})),)


def names(found):
    return None if found is None else [one.page.user for one in found]


def test_another_backend_learns_of_pages_once(opened):
    first, second = opened(), opened()
    assert first.recall("1/7", is_known=False) is None
    first.keep("1/7", pages("a"))
    first.flush()
    assert first.recall("1/7", is_known=True) is None, "its own"
    found = second.recall("1/7", is_known=False)
    assert names(found) == ["a"]
    (mine,) = pages("a")
    assert found[0].page.objects["a"].shown.digest == mine.page.objects["a"].shown.digest
    assert second.recall("1/7", is_known=True) is None
    second.keep("1/7", pages("b"))
    second.flush()
    assert names(first.recall("1/7", is_known=True)) == ["b"]


def test_who_has_not_seen_the_newest_does_not_overwrite_it(opened):
    first, second = opened(), opened()
    first.keep("1/7", pages("a"))
    first.flush()
    second.recall("1/7", is_known=False)
    second.keep("1/7", pages("b"))
    second.flush()
    first.keep("1/7", pages("older"))
    first.flush()
    assert names(opened().recall("1/7", is_known=False)) == ["b"]
    assert names(first.recall("1/7", is_known=True)) == ["b"]
    first.keep("1/7", pages("c"))
    first.flush()
    assert names(second.recall("1/7", is_known=True)) == ["c"]


def test_only_the_latest_pages_of_a_task_are_written_and_they_expire(opened, redis):
    first = opened()
    for number in range(50):
        first.keep("1/7", pages(str(number)))
    first.flush()
    assert names(opened().recall("1/7", is_known=False)) == ["49"]
    (key,) = redis.keys("dynamite:pages:*")
    assert 0 < redis.ttl(key) <= shared_pages.KEPT_SECONDS


def test_pages_that_are_too_large_leave_nothing_older(opened, monkeypatch):
    first, second = opened(), opened()
    first.keep("1/7", pages("a"))
    first.flush()
    monkeypatch.setattr(shared_pages, "MAX_BYTES", 20_000)
    first.keep("1/7", pages("b", pixels=1000))
    first.flush()
    assert names(second.recall("1/7", is_known=False)) == []


def test_rubbish_is_nothing_and_is_overwritten(opened, redis):
    redis.set("dynamite:pages:1/7", "twelve bytes and rubbish")
    shared = opened()
    assert shared.recall("1/7", is_known=False) is None
    shared.keep("1/7", pages("a"))
    shared.flush()
    assert names(opened().recall("1/7", is_known=False)) == ["a"]


def test_a_key_of_another_kind_is_no_error(opened, redis, caplog):
    redis.rpush("dynamite:pages:1/7", "a list")
    assert opened().recall("1/7", is_known=False) is None
    assert "other backends do not learn" in caplog.text


def test_what_waits_is_written_at_the_end(opened, queue_server):
    shared = SharedPages(queue_server)
    for number in range(20):
        shared.keep(f"1/{number}", pages(str(number)))
    shared.close()
    other = opened()
    assert [names(other.recall(f"1/{n}", is_known=False)) for n in range(20)] == [
        [str(n)] for n in range(20)
    ]


def test_a_queue_server_that_is_away_is_told_of_once(opened, caplog):
    shared = opened("redis://127.0.0.1:1")
    for _ in range(20):
        assert shared.recall("1/7", is_known=False) is None
        shared.keep("1/7", pages("a"))
    shared.flush()
    assert caplog.text.count("other backends do not learn") == 1


def test_a_queue_server_that_hangs_is_waited_for_once_and_briefly(opened):
    """An outside limit: a person waits for the click."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shared = opened(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        for _ in range(20):
            assert shared.recall("1/7", is_known=True) is None
            shared.keep("1/7", pages("a"))
        assert time.monotonic() - started < 1
