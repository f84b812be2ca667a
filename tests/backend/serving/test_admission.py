"""Requests that wait for the model never block the others."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

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
        while backend.parts.admission._free._value:
            time.sleep(0.005)
        answer = backend.predict({"result": [click("A", 100, 100)]}, task=task(3))
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "busy")
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
