import base64
import json
import os
import socket
import time

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import ANSWER_SECONDS

pytestmark = pytest.mark.security

EVENTS = [
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "START_TRAINING",
]
SECRET = "a-long-secret-word"
PASSWORD = {"basic_auth_user": "ls", "basic_auth_password": "right"}


@pytest.fixture
def jobs(queue_server):
    """The jobs in the queue, as a worker would read them."""
    connection = Redis.from_url(queue_server)

    def read():
        queue = Queue("ingest", connection=connection, serializer=JSONSerializer)
        return [(job.func_name, job.args[0]) for job in queue.jobs]

    yield read
    connection.close()


@pytest.mark.parametrize("action", EVENTS)
def test_an_event_becomes_a_job_in_json(backend, jobs, action):
    body = {"action": action, "annotation": {"id": 5, "result": []}, "project": {"id": 3}}
    answer = backend.client.post("/webhook", json=body)
    assert answer.status_code == 201
    ((name, event),) = jobs()
    assert name == "backend.label_studio.ingest.jobs.ingest_event"
    assert event["body"] == body
    assert event["verified"] is (action != "ANNOTATIONS_DELETED")
    assert event["source"] == "label_studio"


def test_an_event_without_meaning_here_is_answered_and_forgotten(backend, jobs):
    answer = backend.client.post("/webhook", json={"action": "LABEL_LINK_CREATED"})
    assert answer.status_code == 201
    assert jobs() == []


def test_a_webhook_without_action_is_an_error(backend):
    assert backend.client.post("/webhook", json={"action": 3}).status_code == 400


def test_while_the_queue_server_hangs_an_event_is_on_disk_before_label_studio_gives_up(
    make_backend, tmp_path, capture
):
    body = capture("webhook-annotation-created")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        hung = make_backend(
            redis_url=f"unix://{tmp_path}/silent.sock", answer_seconds=ANSWER_SECONDS
        )
        seconds = []
        for _ in range(3):  # a busy disk may take long once
            start = time.perf_counter()
            answer = hung.client.post("/webhook", json=body)
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 1  # Label Studio's limit
        assert (answer.status_code, answer.json["status"]) == (201, "kept until the queue is back")
        kept = list((hung.settings.state_dir / "spool").glob("*.json"))
        assert [json.loads(one.read_text())["body"] for one in kept] == [body] * 3


def test_events_wait_on_disk_while_the_queue_is_away(make_backend, tmp_path, queue_server, jobs):
    away = make_backend(redis_url=f"unix://{tmp_path}/nobody.sock")
    for number in range(3):
        body = {"action": "ANNOTATION_CREATED", "annotation": {"id": number}}
        assert away.client.post("/webhook", json=body).status_code == 201
    assert away.parts.queue.depths() is None
    assert away.parts.queue.on_disk == 3
    assert "does not answer" in away.client.get("/").text
    away.parts.close()
    back = make_backend(redis_url=queue_server)  # the same state folder, after a restart
    deadline = time.monotonic() + 20
    while len(jobs()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [event["body"]["annotation"]["id"] for _, event in jobs()] == [0, 1, 2]
    while back.parts.queue.on_disk and time.monotonic() < deadline:
        time.sleep(0.05)
    assert back.parts.queue.on_disk == 0


def test_an_event_is_kept_only_once_the_disk_has_it(make_backend, tmp_path, monkeypatch):
    def refuse(_):
        raise OSError("Input/output error")

    away = make_backend(redis_url=f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(os, "fsync", refuse)
    assert away.client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 500
    assert list((away.settings.state_dir / "spool").iterdir()) == []


def test_an_unreadable_event_on_disk_does_not_stop_the_others(make_backend, tmp_path, jobs):
    spool = tmp_path / "state" / "spool"
    spool.mkdir(parents=True)
    (spool / "000.json").write_text("{")
    (spool / "111.json").write_text(json.dumps({"body": {"action": "x"}}))
    make_backend()
    deadline = time.monotonic() + 20
    while not jobs() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(jobs()) == 1
    assert (spool / "000.unreadable").exists()


def basic(password):
    return {"Authorization": "Basic " + base64.b64encode(f"ls:{password}".encode()).decode()}


def test_with_a_password_a_webhook_needs_the_secret_in_its_address(make_backend, jobs):
    client = make_backend(**PASSWORD, webhook_secret=SECRET).client
    body = {"action": "ANNOTATION_CREATED"}
    assert client.post("/webhook", json=body).status_code == 401
    assert client.post("/k/a-wrong-secret-word/webhook", json=body).status_code == 401
    assert jobs() == []
    assert client.post(f"/k/{SECRET}/webhook", json=body).status_code == 201
    assert client.post("/webhook", json=body, headers=basic("right")).status_code == 201
    assert client.post("/webhook", json=body, headers=basic("wrong")).status_code == 401
    assert [event["verified"] for _, event in jobs()] == [True, True]


def test_a_webhook_that_proves_nothing_is_kept_for_asking_back(make_backend, jobs):
    client = make_backend(
        **PASSWORD, label_studio_url="http://ls", label_studio_api_key="key"
    ).client
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 201
    assert [event["verified"] for _, event in jobs()] == [False]


def test_the_secret_stands_before_every_path_but_replaces_no_password(make_backend):
    client = make_backend(**PASSWORD, webhook_secret=SECRET).client
    assert client.get(f"/k/{SECRET}/health").status_code == 200
    assert client.post(f"/k/{SECRET}/setup", json={}).status_code == 401
    assert client.post(f"/k/{SECRET}/setup", json={}, headers=basic("right")).status_code == 200


def test_a_project_that_connects_is_remembered_for_the_comparison(make_backend, queue_server):
    def setup(backend, project):
        body = {"project": project, "schema": "", "hostname": "", "access_token": ""}
        return backend.client.post("/setup", json=body)

    backend = make_backend()
    assert setup(backend, "3.1795330728").status_code == 200
    assert setup(make_backend(redis_url="unix:///nobody.sock"), "4.1").status_code == 200
    backend.parts.answer_log.close()  # writes what waits: /setup itself waits for nothing
    with Redis.from_url(queue_server) as redis:
        assert redis.smembers("dynamite:projects:label_studio") == {b"3"}


@pytest.mark.parametrize("action", ["ANNOTATIONS_DELETED", "TASKS_DELETED", "PROJECT_DELETED"])
def test_without_password_and_secret_a_deletion_must_be_confirmed(make_backend, jobs, action):
    body = {"action": action, "project": {"id": 3}}
    assert make_backend().client.post("/webhook", json=body).status_code == 201
    guarded = make_backend(webhook_secret=SECRET).client
    assert guarded.post(f"/k/{SECRET}/webhook", json=body).status_code == 201
    assert [event["verified"] for _, event in jobs()] == [False, True]


FORWARDED = [{"X-Forwarded-For": "10.0.0.9"}, {"Forwarded": "for=10.0.0.9"}]


@pytest.mark.parametrize("headers", FORWARDED)
def test_a_webhook_through_a_proxy_proves_nothing(make_backend, jobs, headers):
    body = {"action": "ANNOTATION_CREATED"}
    assert make_backend().client.post("/webhook", json=body, headers=headers).status_code == 401
    asking = make_backend(label_studio_url="http://ls", label_studio_api_key="key").client
    assert asking.post("/webhook", json=body, headers=headers).status_code == 201
    assert [event["verified"] for _, event in jobs()] == [False]


def test_a_webhook_proves_itself_before_its_body_is_read(make_backend):
    client = make_backend(**PASSWORD, webhook_secret=SECRET).client

    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    for address in ("/webhook", "/k/a-wrong-secret-word/webhook"):
        answer = client.post(
            address,
            content_type="application/json",
            environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": "60000000"},
        )
        assert answer.status_code == 401


def test_a_webhook_has_a_limit_of_its_own(backend, jobs):
    body = b'{"action": "ANNOTATION_CREATED", "pad": "' + b"x" * 16_000_000 + b'"}'
    answer = backend.client.post("/webhook", data=body, content_type="application/json")
    assert answer.status_code == 413
    assert "16,000,000 bytes allowed" in answer.json["error"]["message"]
    assert jobs() == []
