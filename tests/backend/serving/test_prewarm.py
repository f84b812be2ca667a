"""The queue of images to prewarm is bounded in number and memory."""

import threading

import pytest

from backend.serving import prewarm
from backend.serving.prewarm import Prewarmer


@pytest.fixture
def held():
    """A prewarmer whose threads wait."""
    gate = threading.Event()

    def warm(*_):
        gate.wait(20)

    prewarmer = Prewarmer(warm)
    yield prewarmer
    gate.set()
    prewarmer.close()


def test_an_image_waits_once_and_not_too_many_do(held, monkeypatch):
    monkeypatch.setattr(prewarm, "MAX_WAITING", 3)
    assert [held.ask(address, "1") for address in "abbcd"] == [True, True, False, True, False]
    assert held.waiting == 3


def test_images_that_are_their_own_address_do_not_fill_the_memory(held, monkeypatch):
    monkeypatch.setattr(prewarm, "MAX_CHARACTERS", 1000)
    asked = [held.ask(f"data:{number}" + "a" * 300, "1") for number in range(5)]
    assert asked == [True, True, True, False, False]
