"""Requests that wait for the model never block the others."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.label_studio.config_writer import write
from backend.serving.admission import Admission, BusyError


def test_a_place_is_free_again_after_an_error():
    admission = Admission(1)
    with pytest.raises(KeyError), admission.place():
        raise KeyError
    with admission.place(), pytest.raises(BusyError, match="DYNAMITE_THREADS"), admission.place():
        pass


def test_one_request_too_many_is_told_so_at_once(make_backend, click, task):
    backend = make_backend(threads=2)
    backend.predictor.gate.clear()  # encodes wait
    started = threading.Barrier(3)

    def wait(number):
        started.wait()
        body = {"result": [click("A", 100, 100, name=f"k{number}")]}
        own = task(number, image=f"/data/upload/1/{number}.png")
        return backend.predict(body, task=own).status_code

    with ThreadPoolExecutor() as people:
        waiting = [people.submit(wait, number) for number in (1, 2)]
        started.wait()
        while backend.parts.admission._free_encoding._value:
            time.sleep(0.005)
        answer = backend.predict({"result": [click("A", 100, 100)]}, task=task(3))
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "busy")
        assert "images to be encoded" in answer.json["error"]["message"]
        assert backend.client.get("/health").status_code == 200
        backend.predictor.gate.set()
        assert [one.result() for one in waiting] == [200, 200]
    assert backend.predict({"result": [click("A", 100, 100)]}, task=task(3)).status_code == 200


def test_where_masks_are_known_these_are_answered_instead(make_backend, click, task):
    backend = make_backend(threads=2)
    (before,) = backend.result(click("A", 200, 200))
    with backend.parts.admission.place(), backend.parts.admission.place():
        (again,) = backend.result(click("A", 200, 200), click("A", 300, 200))
    assert again["id"] == before["id"]
    assert again["value"] == before["value"]
    assert backend.parts.journal.errors[0].code == "busy"


@pytest.mark.security
def test_clicks_on_warm_images_do_not_wait_for_those_that_wait_for_a_silent_host(
    make_backend, click, task
):
    backend = make_backend(threads=2)
    warm = task(3)
    (before,) = backend.result(click("A", 100, 100), task=warm)
    answers, waiting = threading.Event(), threading.Semaphore(0)
    fetch = backend.photos.fetch

    def silent(value, task_id=None):
        waiting.release()
        assert answers.wait(60)
        return fetch(value, task_id)

    backend.photos.fetch = silent

    def wait(number):
        own = task(10 + number, image=f"/data/upload/1/{number}.png")
        body = {"result": [click("A", 100, 100, name=f"k{number}")]}
        return backend.predict(body, task=own)

    with ThreadPoolExecutor() as people:
        held_up = [people.submit(wait, number) for number in (1, 2)]
        for _ in held_up:
            assert waiting.acquire(timeout=60)
        try:
            (after,) = backend.result(click("A", 100, 100), click("A", 200, 100), task=warm)
            assert after["value"] != before["value"]
            third = wait(3)  # no more may wait for hosts
            assert (third.status_code, third.json["error"]["code"]) == (503, "busy")
            assert "image hosts" in third.json["error"]["message"]
        finally:
            answers.set()
        assert [one.result().status_code for one in held_up] == [200, 200]
    assert wait(4).status_code == 200  # all places are free again


def test_outside_leaves_the_place_of_this_thread_and_takes_it_back():
    admission = Admission(1)
    with admission.place():
        with admission.outside(), admission.place():
            pass
        with pytest.raises(KeyError), admission.outside():
            raise KeyError
        with pytest.raises(BusyError), admission.place():
            pass
    with admission.outside(), admission.outside(), admission.place():  # without a place: nothing
        pass


def test_clicks_on_warm_images_are_answered_in_a_flood_of_new_ones(make_backend, click, task):
    """Clicks and warmings of new images wait up to a limit, and beyond it are told so at once."""
    backend = make_backend(threads=4)
    warm = task(1)
    points = [click("A", 100, 100)]
    backend.result(*points, task=warm)
    gate, encode = threading.Event(), backend.predictor.encode

    def slow(image, *, pause):
        while not gate.wait(0.001):
            pause()  # between its layers a click overtakes it
        return encode(image, pause=pause)

    backend.predictor.encode = slow

    def flood(number):
        own = task(10 + number, image=f"/data/upload/1/{'x' * number}.png")
        body = {"result": [click("A", 100, 100, name=f"k{number}")]}
        if number % 3:
            return backend.predict(body, task=own)
        body = {"tasks": [own], "project": "3.1", "label_config": write(["A", "B"])}
        return backend.client.post("/warm", json=body)

    with ThreadPoolExecutor(40) as people:
        asked = [people.submit(flood, number) for number in range(40)]
        try:
            while sum(one.done() for one in asked) < 36:
                time.sleep(0.005)
            for number in range(20):
                points.append(click("A", 110 + number, 100))
                assert len(backend.result(*points, task=warm)) == 1
                assert backend.client.get("/health").status_code == 200
        finally:
            gate.set()
        answers = [one.result() for one in asked]
    reasons = [
        answer.json["error"]["message"]
        if answer.status_code == 503
        else "".join(answer.json.get("problems", []))
        for answer in answers
    ]
    assert sum("requests are already waiting for" in reason for reason in reasons) == 36, reasons
    assert reasons.count("") == 4
    assert backend.parts.admission._free._value == 4  # all places are free again
    assert backend.parts.admission._free_encoding._value == 4


def test_one_that_waits_for_an_encode_and_then_for_a_host_is_counted_there():
    admission = Admission(1)
    with admission.place(), admission.encoding():
        with admission.outside():
            assert admission._free._value == admission._free_encoding._value == 1
            assert admission._free_outside._value == 0
        assert (admission._free_encoding._value, admission._free_outside._value) == (0, 1)
        with admission.encoding():
            assert admission._free_encoding._value == 0
    assert admission._free._value == admission._free_encoding._value == 1
