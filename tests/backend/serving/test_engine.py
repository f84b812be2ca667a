import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from backend.serving.device_thread import ClosedError, DeviceThread, Urgency
from backend.serving.engine import Engine, Model, SupersededError
from dynamite import Click, ClickSet
from tests.fakes import KeyedCache

CLICK = ClickSet([[Click(1, 1)]])
FEATURES = SimpleNamespace(image_size=(4, 4))


def picture(shade):
    return lambda: np.full((4, 4, 3), shade, np.uint8)


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_hurried_job_keeps_nothing_alive_once_it_has_run():
    device, first, second = DeviceThread(), threading.Event(), threading.Event()
    device.submit(Urgency.CLICK, lambda: first.wait(20))
    pixels = np.zeros(3)
    gone = weakref.ref(pixels)
    job = device.submit(Urgency.PREWARM, lambda pixels=pixels: len(pixels))
    device.hurry(job, Urgency.CLICK)
    device.submit(Urgency.ENCODE, lambda: second.wait(20))
    del pixels
    first.set()
    assert job.future.result(20) == 3
    until(lambda: device.waiting == 1)  # the job as it was before it was hurried
    until(lambda: gone() is None)
    second.set()
    device.close()


@pytest.fixture
def parts():
    """An engine whose predictor waits at a gate, and a function that runs calls in threads."""

    class Predictor:
        def __init__(self):
            self.done = []
            self.gate = threading.Event()

        def encode(self, image, *, pause):
            assert self.gate.wait(20)
            self.done.append(("encode", int(image[0, 0, 0])))
            return SimpleNamespace(shade=int(image[0, 0, 0]), image_size=image.shape[:2])

        def segment(self, features, clicks, *, shown=None):
            self.done.append(("segment", len(clicks)))
            return SimpleNamespace()

    predictor = Predictor()
    engine = Engine(Model(predictor, "v1", "cpu"), KeyedCache())
    threads = []

    def run(work):
        thread = threading.Thread(target=work)
        thread.start()
        threads.append(thread)

    yield engine, predictor, run
    predictor.gate.set()
    for thread in threads:
        thread.join(20)
    engine.close()


def occupy(engine, predictor, run, shade=0):
    """Make the device busy with one encode that waits at the gate."""
    run(lambda: engine.features(f"busy{shade}", picture(shade), urgency=Urgency.PREWARM))
    until(lambda: engine._encodes)
    until(lambda: engine.waiting == 0)


def test_a_click_waits_only_for_the_encode_that_runs(parts):
    engine, predictor, run = parts
    occupy(engine, predictor, run)
    for shade in (1, 2, 3):
        run(lambda s=shade: engine.features(str(s), picture(s), urgency=Urgency.PREWARM))
    until(lambda: engine.waiting == 3)
    run(lambda: engine.segment(FEATURES, CLICK))
    until(lambda: engine.waiting == 4)
    predictor.gate.set()
    until(lambda: len(predictor.done) == 5)
    assert predictor.done[:2] == [("encode", 0), ("segment", 1)]


class Layers:
    """A predictor that pauses between the layers of an encode, each of which waits for a word."""

    def __init__(self):
        self.done = []
        self.layers = {shade: threading.Semaphore(0) for shade in range(3)}

    def encode(self, image, *, pause):
        shade = int(image[0, 0, 0])
        self.done.append(f"begin {shade}")
        for _ in range(2):
            assert self.layers[shade].acquire(timeout=20)
            pause()
        self.done.append(f"end {shade}")
        return FEATURES

    def segment(self, features, clicks, **_):
        self.done.append("click")
        return SimpleNamespace()


@pytest.fixture
def layers():
    predictor = Layers()
    engine = Engine(Model(predictor, "v1", "cpu"), KeyedCache())
    with ThreadPoolExecutor() as pool:

        def features(shade, urgency):
            pool.submit(engine.features, str(shade), picture(shade), urgency=urgency)

        yield engine, predictor, features
        for layer in predictor.layers.values():
            layer.release(2)
    engine.close()


@pytest.mark.security
def test_a_click_on_a_warm_image_is_answered_while_encodes_run(layers):
    engine, predictor, features = layers
    features(0, Urgency.ENCODE)
    until(lambda: predictor.done == ["begin 0"])
    features(1, Urgency.ENCODE)
    until(lambda: engine.waiting == 1)
    with ThreadPoolExecutor() as pool:
        pool.submit(engine.segment, FEATURES, CLICK)
        until(lambda: engine.waiting == 2)
        predictor.layers[0].release()  # the first of two layers
    assert predictor.done == ["begin 0", "click"]


def test_an_encode_that_a_click_waits_for_overtakes_one_that_warms(layers):
    engine, predictor, features = layers
    features(0, Urgency.PREWARM)
    until(lambda: predictor.done == ["begin 0"])
    features(1, Urgency.ENCODE)
    until(lambda: engine.waiting == 1)
    predictor.layers[1].release(2)
    predictor.layers[0].release(2)
    until(lambda: len(predictor.done) == 4)
    assert predictor.done == ["begin 0", "begin 1", "end 1", "end 0"]


def test_an_encode_that_a_click_has_come_to_wait_for_is_not_overtaken(layers):
    engine, predictor, features = layers
    features(0, Urgency.PREWARM)
    until(lambda: predictor.done == ["begin 0"])
    features(0, Urgency.ENCODE)  # hurries the one that runs
    until(lambda: engine.waiting == 1)
    features(1, Urgency.ENCODE)
    until(lambda: engine.waiting == 2)
    predictor.layers[1].release(2)
    predictor.layers[0].release(2)
    until(lambda: len(predictor.done) == 4)
    assert predictor.done == ["begin 0", "end 0", "begin 1", "end 1"]


def test_a_click_goes_before_encodes_that_other_clicks_wait_for(parts):
    engine, predictor, run = parts
    occupy(engine, predictor, run)
    for shade in (1, 2):
        run(lambda s=shade: engine.features(str(s), picture(s), urgency=Urgency.ENCODE))
    until(lambda: engine.waiting == 2)
    run(lambda: engine.segment(FEATURES, CLICK))
    until(lambda: engine.waiting == 3)
    predictor.gate.set()
    until(lambda: len(predictor.done) == 4)
    assert predictor.done[:2] == [("encode", 0), ("segment", 1)]


def test_a_click_on_an_image_that_waits_to_be_warmed_moves_it_forward(parts):
    engine, predictor, run = parts
    occupy(engine, predictor, run)
    for shade in (1, 2, 3):
        run(lambda s=shade: engine.features(str(s), picture(s), urgency=Urgency.PREWARM))
        until(lambda s=shade: engine.waiting == s)
    run(lambda: engine.features("3", picture(3)))
    until(lambda: engine.waiting == 4)
    predictor.gate.set()
    until(lambda: len(predictor.done) == 4)
    assert predictor.done[1] == ("encode", 3)
    assert sorted(predictor.done) == [("encode", shade) for shade in range(4)]


def test_one_encode_however_many_ask_at_once(parts):
    engine, predictor, run = parts
    results = []
    for _ in range(8):
        run(lambda: results.append(engine.features("1", picture(1))))
    predictor.gate.set()
    until(lambda: len(results) == 8)
    assert predictor.done == [("encode", 1)]
    assert len({id(result) for result in results}) == 1


def test_a_superseded_call_costs_no_model_run(parts):
    engine, predictor, run = parts
    occupy(engine, predictor, run)
    newer = threading.Event()
    outcome = []

    def first_call():
        try:
            engine.segment(FEATURES, CLICK, superseded=newer.is_set)
        except SupersededError as error:
            outcome.append(error)

    run(first_call)
    until(lambda: engine.waiting == 1)
    newer.set()
    predictor.gate.set()
    until(lambda: outcome)
    assert ("segment", 1) not in predictor.done


def test_errors_reach_the_caller_and_leave_the_engine_alive(parts):
    engine, predictor, _ = parts
    predictor.gate.set()

    def broken():
        raise ValueError("unreadable")

    with pytest.raises(ValueError, match="unreadable"):
        engine.features("1", broken)
    assert engine.features("1", picture(1)).shade == 1


def test_swapped_weights_answer_new_calls_and_old_ones_finish(parts):
    engine, predictor, _ = parts
    predictor.gate.set()
    old = engine.model
    engine.features("1", picture(1))
    other = SimpleNamespace(
        encode=lambda image, *, pause: SimpleNamespace(shade=-1),
        segment=lambda *_, **__: "new answer",
    )
    engine.swap(Model(other, "v2", "cpu"))
    assert engine.features("1", picture(1)).shade == -1  # other weights, other features
    assert engine.features("1", picture(1), model=old).shade == 1
    assert engine.segment(FEATURES, CLICK) == "new answer"
    assert engine.segment(FEATURES, CLICK, model=old) != "new answer"


def test_a_job_runs_once_however_often_it_is_hurried():
    device = DeviceThread()
    gate, runs = threading.Event(), []
    device.submit(Urgency.CLICK, lambda: gate.wait(20))
    job = device.submit(Urgency.PREWARM, lambda: runs.append(1))
    for _ in range(3):
        device.hurry(job, Urgency.CLICK)
    gate.set()
    device.close()
    assert runs == [1]


def test_work_that_comes_after_the_end_is_told_so():
    device = DeviceThread()
    device.close()
    with pytest.raises(ClosedError, match="stopping"):
        device.submit(Urgency.CLICK, lambda: 1).future.result(20)


def test_work_that_comes_while_the_device_ends_is_done():
    coming, gate = threading.Event(), threading.Event()

    class Slow(DeviceThread):
        def _put(self, urgency, job):
            if urgency is not Urgency.STOP:
                coming.set()
                assert gate.wait(20)
            super()._put(urgency, job)

    device, jobs = Slow(), []
    caller = threading.Thread(target=lambda: jobs.append(device.submit(Urgency.CLICK, lambda: 1)))
    caller.start()
    assert coming.wait(20)
    closing = threading.Thread(target=device.close)
    closing.start()
    closing.join(0.2)  # time enough to end before the work is queued, were that possible
    gate.set()
    caller.join(20)
    assert jobs[0].future.result(20) == 1
    closing.join(20)
    assert not closing.is_alive()
