"""Proposals of a crowded image leave the device to the clicks of others, between their passes."""

import threading

import numpy as np
import pytest

from backend.serving.device_thread import Urgency
from backend.serving.engine import Engine, Model, SupersededError
from dynamite.clicks import Click, ClickSet
from dynamite.predict.predictor import Segmentation
from dynamite.proposals.passes import segment_in_passes

SEEDS = [Click(10 * (i % 20) + 5, 10 * (i // 20) + 5, i) for i in range(100)]
CLICK = ClickSet([[Click(1, 1)]])


class Slow:
    """A network that, in its first pass, waits until a click of somebody else is queued."""

    def __init__(self):
        self.runs = []
        self.began = threading.Event()
        self.is_queued = lambda: True

    def encode(self, image, *, pause):
        raise NotImplementedError

    def segment(self, features, clicks, *, shown=None):
        self.runs.append(len(clicks.objects))
        self.began.set()
        while len(self.runs) == 1 and not self.is_queued():
            pass
        scores = np.ones(len(clicks.objects), np.float32)
        return Segmentation(np.full((50, 200), -1, np.int16), scores)


@pytest.fixture
def network():
    return Slow()


@pytest.fixture
def engine(network):
    engine = Engine(Model(network, "v1", "cpu"), cache=None)
    network.is_queued = lambda: engine.waiting > 0
    yield engine
    engine.close()


@pytest.mark.parametrize("urgency", [Urgency.CLICK, Urgency.ENCODE])
def test_a_click_waits_for_one_pass_and_not_for_all(engine, network, urgency):
    def propose():
        segment_in_passes(SEEDS, [], lambda c: engine.segment(None, c, urgency=urgency))

    proposing = threading.Thread(target=propose)
    proposing.start()
    assert network.began.wait(60)
    engine.segment(None, CLICK)
    proposing.join()
    assert network.runs[1] == 1
    assert network.runs.count(1) == 1
    assert len(network.runs) > 3


def test_what_is_superseded_stops_before_its_next_pass(engine, network):
    network.is_queued = lambda: True

    def run(clicks):
        return engine.segment(None, clicks, superseded=lambda: len(network.runs) == 2)

    with pytest.raises(SupersededError):
        segment_in_passes(SEEDS, [], run)
    assert len(network.runs) == 2
