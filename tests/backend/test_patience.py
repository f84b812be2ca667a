"""Nobody waits long for a place that hangs, nor again and again."""

import threading

import pytest

from backend.patience import Patience


@pytest.fixture
def clock():
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def patience(clock):
    patience = Patience("test", pause=10, threads=2, clock=clock)
    yield patience
    patience.close()


def test_an_answer_in_time_is_returned_and_an_error_raised(patience):
    assert patience.ask(lambda: 7, 30) == 7
    with pytest.raises(KeyError):
        patience.ask(lambda: {}["a"], 30)
    with pytest.raises(TimeoutError):  # its own, not ours
        patience.ask(lambda: (_ for _ in ()).throw(TimeoutError()), 30)
    assert not patience.is_pausing


def test_a_late_answer_is_not_waited_for_and_nothing_is_asked_for_a_while(patience, clock):
    go_on, asked = threading.Event(), []

    def hang():
        asked.append(1)
        go_on.wait(30)

    assert patience.ask(hang, 0.01) is None
    assert patience.is_pausing
    assert patience.ask(lambda: asked.append(2), 30) is None
    clock.now += 10
    assert patience.ask(lambda: 7, 30) == 7, "another thread is free"
    assert asked == [1]
    go_on.set()


def test_however_long_it_hangs_no_more_threads_hang_than_allowed(patience, clock):
    go_on, hanging = threading.Event(), threading.Semaphore(0)

    def hang():
        hanging.release()
        go_on.wait(30)

    for _ in range(5):
        assert patience.ask(hang, 0.05) is None
        clock.now += 10
    assert hanging.acquire(timeout=30)
    assert hanging.acquire(timeout=30)
    assert not hanging.acquire(timeout=0.1)
    go_on.set()


def test_nothing_is_asked_once_it_is_closed(patience):
    patience.close()
    assert patience.ask(lambda: 7, 30) is None
