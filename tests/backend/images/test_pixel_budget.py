"""Large images wait for room, and their memory is given back."""

import gc
import threading

import numpy as np
import pytest

from backend.errors import ImageBusyError
from backend.images import pixel_budget
from backend.images.pixel_budget import PixelBudget

pytestmark = pytest.mark.security


def image(pixels=10):
    return np.zeros((pixels, 1, 3), np.uint8)


def in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_an_image_waits_until_another_one_is_gone():
    budget = PixelBudget(25, lambda: None)
    first, second = budget.decode(10, image), budget.decode(10, image)
    started = threading.Event()
    waiting = in_background(lambda: budget.decode(10, lambda: (started.set(), image())[1]))
    assert not started.wait(0.2)
    view = second[:5]
    del second
    gc.collect()
    assert not started.wait(0.2), "a view keeps the pixels"
    del view
    assert started.wait(10)
    waiting.join(10)
    assert first.shape


def test_one_image_has_room_however_large():
    budget = PixelBudget(5, lambda: None)
    for _ in range(3):
        assert len(budget.decode(10, image)) == 10


def test_a_failure_gives_its_room_back():
    budget = PixelBudget(10, lambda: None)
    with pytest.raises(ZeroDivisionError):
        budget.decode(10, lambda: 1 / 0)
    assert len(budget.decode(10, image)) == 10


def test_an_image_in_the_traceback_of_an_error_gives_its_room_back(monkeypatch):
    monkeypatch.setattr(pixel_budget, "COLLECT_SECONDS", 0.01)
    budget = PixelBudget(10, lambda: None)
    gc.disable()
    try:
        cycle = [budget.decode(10, image)]
        cycle.append(cycle)
        del cycle
        assert len(budget.decode(10, image)) == 10
    finally:
        gc.enable()


def test_waiting_ends_with_a_sentence(monkeypatch):
    monkeypatch.setattr(pixel_budget, "COLLECT_SECONDS", 0.01)
    monkeypatch.setattr(pixel_budget, "WAIT_SECONDS", 0.01)
    budget = PixelBudget(10, lambda: None)
    held = budget.decode(10, image)
    with pytest.raises(ImageBusyError, match="try again"):
        budget.decode(10, image)
    assert held.shape


def test_memory_is_given_back_once_the_last_large_image_is_gone(monkeypatch):
    monkeypatch.setattr(pixel_budget, "LARGE_PIXELS", 10)
    monkeypatch.setattr(pixel_budget, "IDLE_SECONDS", 0.01)
    given = threading.Event()
    budget = PixelBudget(100, given.set)
    budget.decode(9, image)
    assert not given.wait(0.1), "small images leave little behind"
    other = budget.decode(9, image)
    budget.decode(10, image)
    assert not given.wait(0.1), "another image is still there"
    del other
    assert given.wait(10)
