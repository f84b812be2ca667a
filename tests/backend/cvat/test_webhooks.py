"""Webhooks are hints: signed, queued by number, harmless when repeated."""

import hmac
import json
import threading
from hashlib import sha256

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from backend.cvat import rle
from backend.settings import load
from backend.settings.folders import store_folder
from backend.web.auth import GUESSES
from tests.backend.cvat.collect.test_collecting import block
from tests.backend.cvat.fake_cvat import TOKEN
from training.annotation_store import AnnotationStore

SECRET = "schlüssel ☕"
JOB = {
    "id": 5,
    "task_id": 1,
    "project_id": 4,
    "stage": "annotation",
    "state": "in progress",
    "start_frame": 0,
    "stop_frame": 3,
    "type": "annotation",
}


@pytest.fixture
def queued(queue_server):
    connection = Redis.from_url(queue_server)

    def read():
        queue = Queue("ingest", connection=connection, serializer=JSONSerializer)
        return [(job.func_name, job.args[0]["kind"], job.args[0]["number"]) for job in queue.jobs]

    yield read
    connection.close()


def signed(body, secret=SECRET):
    raw = json.dumps(body, ensure_ascii=False).encode()
    digest = hmac.new(secret.encode(), raw, sha256).hexdigest()
    headers = {"X-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
    return {"data": raw, "headers": headers}


def event(name="update:job", before=None, **job):
    return {"event": name, "job": JOB | job, "before_update": before or {}, "webhook_id": 1}


NAME = "backend.cvat.collect.jobs.collect_event"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (event(state="completed"), ("job", 5)),
        (event(before={"updated_date": "x"}), None),
        (event(before={"state": "completed"}, state="new"), ("job", 5)),
        (event(state="rejected"), ("job", 5)),
        (event("delete:job"), ("job", 5)),
        ({"event": "delete:task", "task": {"id": 8}}, ("task", 8)),
        ({"event": "delete:project", "project": {"id": 9}}, ("project", 9)),
        ({"event": "update:task", "task": {"id": 8}}, None),
        ({"event": "ping", "webhook": {}}, None),
        (event("create:job"), None),
    ],
)
def test_an_event_becomes_a_number_to_ask_for(backend, queued, body, expected):
    assert backend.client.post("/cvat/webhook", json=body).status_code == 200
    assert queued() == ([(NAME, *expected)] if expected else [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": 5},
        {"event": "delete:job"},
        {"event": "update:job", "job": 5},
        {"event": "delete:task", "task": {"id": "5"}},
        {"event": "delete:task", "task": {"id": True}},
        event("create:job", start_frame=None),
        event("create:job", stop_frame=10**30),
        [],
    ],
)
def test_malformed_events_are_refused(backend, queued, body):
    assert backend.client.post("/cvat/webhook", json=body).status_code == 400
    assert queued() == []


def test_the_signature_covers_the_raw_body(make_backend, queued):
    backend = make_backend(cvat=True, cvat_webhook_secret=SECRET)
    body = event(state="completed", name_of="Katze 🐈")
    good = signed(body)
    away = {"environ_base": {"REMOTE_ADDR": "10.9.9.9"}}  # the signature says who it is
    assert backend.client.post("/cvat/webhook", **good, **away).status_code == 200
    for bad in (
        signed(body, "another"),
        good | {"data": good["data"] + b" "},
        good | {"headers": {"Content-Type": "application/json"}},
        good | {"headers": good["headers"] | {"X-Signature-256": "sha256=é"}},
    ):
        assert backend.client.post("/cvat/webhook", **bad).status_code == 401
    assert len(queued()) == 1


def test_without_a_secret_only_cvats_addresses_may_send(backend, queued):
    away = {"environ_base": {"REMOTE_ADDR": "10.9.9.9"}}
    assert backend.client.post("/cvat/webhook", json=event(), **away).status_code == 403


def test_a_webhook_is_not_larger_than_a_job(backend):
    body = event() | {"x": "x" * 1_000_001}
    assert backend.client.post("/cvat/webhook", json=body).status_code == 413


def test_a_new_job_is_encoded_before_its_first_click(make_backend, fake):
    from tests.backend.cvat.cvat_page import CvatServer, payload

    fake.add_task(1, frames=3)
    backend = make_backend(cvat=True, cvat_url=fake.url, cvat_token=TOKEN)
    backend.client.post("/cvat/webhook", json=fake.event(1, "create:job"))
    done = threading.Event()
    while backend.predictor.encodes < 3:
        done.wait(0.02)
    for frame in range(3):
        CvatServer(backend.client).masks(payload(fake.frames[1, frame], [(30, 20)]), size=fake.size)
    assert backend.predictor.encodes == 3


def test_frames_that_are_not_ready_yet_are_asked_for_again(make_backend, fake, monkeypatch):
    monkeypatch.setattr("backend.cvat.warming.READY_SECONDS", 0.01)
    fake.add_task(1, frames=1)
    fake.broken_frames.add((1, 0))
    asked, found = [], fake.found

    def soon(*arguments):
        asked.append(arguments)
        answer = found(*arguments)
        fake.broken_frames.clear()
        return answer

    fake.found = soon
    backend = make_backend(cvat=True, cvat_url=fake.url, cvat_token=TOKEN)
    backend.client.post("/cvat/webhook", json=fake.event(1, "create:job"))
    done = threading.Event()
    while not backend.predictor.encodes:
        done.wait(0.02)
    assert len(asked) == 2


def test_frames_sent_by_the_command_are_encoded(backend):
    from tests.backend.cvat.cvat_page import CvatServer, a_frame, payload

    assert backend.client.post("/cvat/warm", data=a_frame()).json == {"warm": 1}
    assert backend.client.post("/cvat/warm", data=b"").status_code == 400
    assert backend.client.post("/cvat/warm", data=b"x").status_code == 422
    CvatServer(backend.client).masks(payload(a_frame(), [(30, 20)]))
    assert backend.predictor.encodes == 1


@pytest.mark.slow
def test_a_real_worker_stores_what_a_webhook_hinted_at(
    make_backend, fake, queue_server, tmp_path, monkeypatch
):
    fake.add_task(1, project=4)
    fake.draw(1, 0, rle.encode(block()))
    fake.complete(1)
    for name, value in {
        "REDIS_URL": queue_server,
        "DYNAMITE_STATE_DIR": str(tmp_path / "state"),
        "DYNAMITE_CVAT": "true",
        "DYNAMITE_CVAT_URL": fake.url,
        "DYNAMITE_CVAT_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)
    backend = make_backend(cvat=True, cvat_url=fake.url, cvat_token=TOKEN)
    for _ in range(3):
        backend.client.post("/cvat/webhook", json=fake.event(1))
    import subprocess
    import sys

    subprocess.run(
        [sys.executable, "-m", "backend.cli", "worker", "--queues", "ingest", "--burst"],
        check=True,
        timeout=120,
    )
    with AnnotationStore(store_folder(load())) as store:
        assert [one.annotation_id for one in store.annotations()] == [1_000_000]


@pytest.mark.security
def test_guesses_of_the_secret_are_slowed_down(make_backend):
    app = make_backend(cvat=True, cvat_webhook_secret=SECRET).parts.app
    statuses = []

    def guess(number):
        own = signed(event(), f"guess {number}")
        statuses.append(app.test_client().post("/cvat/webhook", **own).status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(4 * GUESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {401, 429}
