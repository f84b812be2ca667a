"""The description of the routes is true: nothing more, nothing less, and every status is seen."""

import copy
import errno
import os

import pytest

from backend import errors
from backend.jobs.job_queue import JobQueue
from backend.web.auth import Guesses
from tests.backend.web.described import SETTINGS, Caller, operations, routes

pytestmark = pytest.mark.security

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.1"}
WRONG_IMAGES = (
    errors.ImageRefusedError,
    errors.ImageMissingError,
    errors.ImageChangedError,
    errors.ImageTooLargeError,
    errors.ImageUnreadableError,
    errors.ImageUnauthorizedError,
    errors.ImageUnreachableError,
    errors.ImageBusyError,
    errors.ImageTimeoutError,
)


@pytest.mark.parametrize("cvat", [True, False])
def test_every_route_is_described_and_nothing_else(make_backend, cvat):
    backend = make_backend(cvat=cvat)
    described = backend.client.get("/openapi.json").json
    said = [(path, method) for path, method, _ in operations(described)]
    assert sorted(said) == sorted(routes(backend.parts.app))


def test_a_wrong_method_is_told_the_right_ones(backend):
    answer = backend.client.delete("/predict")
    assert (answer.status_code, answer.json["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert answer.headers.getlist("Content-Type") == ["application/json"]


@pytest.fixture
def caller():
    return Caller()


def test_every_documented_answer_is_given_and_as_documented(make_backend, monkeypatch, caller):
    backend = make_backend(**SETTINGS)
    ask_properly(caller, backend)
    ask_badly(caller, backend)
    ask_for_images(caller, backend)
    ask_others(caller, make_backend)
    for wrong in (errors.TooManyEventsError("no"), OSError(errno.ENOSPC, os.strerror(28))):
        status, _ = errors.code_and_status(wrong)[::-1]
        monkeypatch.setattr(JobQueue, "put", raising(wrong))
        for path, method in caller.each(status):
            if path.endswith("/webhook"):
                caller.call(backend, path, method, status)
    backend.parts.draining.set()
    caller.call(backend, "/health", "get", 503)
    monkeypatch.setattr(Guesses, "is_full", lambda *_: True)
    for path, method in caller.each(429):
        caller.call(backend, path, method, 429, headers={"Authorization": "Basic eDp4"})
    assert set(caller.documented()) == caller.seen


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def ask_properly(caller, backend):
    for status in (200, 201):
        for path, method in caller.each(status):
            for example in caller.examples(path, method):
                caller.call(backend, path, method, status, **example)


def ask_badly(caller, backend):
    for path, method in caller.each(421):
        caller.call(backend, path, method, 421, headers={"Host": "evil.example"})
    for path, method in caller.each(400):
        empty = {"data": b"", "json": None} if path != "/cvat/warm" else {"data": b""}
        caller.call(backend, path, method, 400, **empty)
    for path, method in caller.each(403):
        if path != "/predict":
            caller.call(backend, path, method, 403, environ_overrides=ELSEWHERE)
    caller.call(backend, "/api/functions/{name}", "get", 404, name="other")
    other = {"x-nuclio-function-name": "other"}
    caller.call(backend, "/api/function_invocations", "post", 404, headers=other)


def ask_for_images(caller, backend):
    backend.parts.label_studio.connection.images.use(backend.photos)  # /setup has named another
    body = copy.deepcopy(caller.examples("/predict", "post")[0]["json"])
    for number, wrong in enumerate(WRONG_IMAGES, start=100):
        backend.photos.fetch = raising(wrong("no"))
        body["tasks"] = [{"id": number, "data": {"image": f"/data/upload/{number}.png"}}]
        caller.call(backend, "/predict", "post", wrong.status, json=body)
    none = {"image": "bm9uZQ==", "pos_points": [[1, 1]], "neg_points": [], "labels": ["cell"]}
    for path, method in caller.each(422):
        if path == "/cvat/warm":
            caller.call(backend, path, method, 422, data=b"none")
        elif path != "/predict":
            caller.call(backend, path, method, 422, json=none)


def ask_others(caller, make_backend):
    """Ask backends with other settings, and one whose model has ended."""
    guarded = make_backend(**SETTINGS, cvat_webhook_secret="a-long-signing-secret")
    for path, method in caller.each(401):
        caller.call(guarded, path, method, 401, auth=False)
    small = make_backend(**SETTINGS, max_request_bytes=5)
    for path, method in caller.each(413):
        caller.call(small, path, method, 413)
    ended = make_backend(**SETTINGS)
    ended.parts.engine.close()
    for path, method in caller.each(503):
        example = caller.examples(path, method)[0]
        if path == "/predict":  # a page of which no backend knows masks
            (task,) = example["json"]["tasks"]
            example = {"json": example["json"] | {"tasks": [task | {"id": 99}]}}
        if path != "/health" and not path.endswith("/webhook"):
            caller.call(ended, path, method, 503, **example)
