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
from tests.backend.served import CAPTURES

pytestmark = pytest.mark.security

PROJECT = {"id": 3, "created_at": "2026-11-22T07:10:40.783276Z"}
EVENTS = {
    action: {"action": action, "project": PROJECT} | more
    for action, more in {
        "ANNOTATION_CREATED": {"annotation": {"id": 5, "task": 2, "result": []}},
        "ANNOTATIONS_CREATED": {"annotation": [{"id": 5, "task": 2}, {"id": 6, "task": 2}]},
        "ANNOTATION_UPDATED": {"annotation": {"id": 5, "task": 2}, "task": {"id": 2, "data": {}}},
        "ANNOTATIONS_DELETED": {"annotations": [{"id": 5}, {"id": 6}]},
        "TASKS_DELETED": {"tasks": [{"id": 2}]},
        "PROJECT_UPDATED": {},
        "PROJECT_DELETED": {},
        "START_TRAINING": {},
    }.items()
}
CREATED = EVENTS["ANNOTATION_CREATED"]
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
def test_an_event_becomes_a_job_in_json(make_backend, jobs, action):
    client = make_backend(webhook_secret=SECRET).client
    assert client.post(f"/k/{SECRET}/webhook", json=EVENTS[action]).status_code == 201
    ((name, event),) = jobs()
    assert name == "backend.label_studio.ingest.jobs.ingest_event"
    assert event["body"] == EVENTS[action]
    assert event["verified"] is True
    assert event["source"] == "label_studio"


CLAIMS = {
    "ANNOTATION_CREATED": {"annotation": [{"id": 5, "task": 2}]},
    "ANNOTATIONS_CREATED": {"annotation": [{"id": 5, "task": 2}, {"id": 6, "task": 2}]},
    "ANNOTATION_UPDATED": {"annotation": [{"id": 5, "task": 2}]},
    "ANNOTATIONS_DELETED": {"annotations": [{"id": 5}, {"id": 6}]},
    "TASKS_DELETED": {"tasks": [{"id": 2}]},
}


@pytest.mark.parametrize("action", EVENTS)
def test_without_password_and_secret_only_the_numbers_of_an_event_are_kept(backend, jobs, action):
    body = EVENTS[action] | {"pad": "x" * 1_000_000}
    assert backend.client.post("/webhook", json=body).status_code == 201
    ((_, event),) = jobs()
    assert event["verified"] is False
    assert event["body"] == {"action": action, "project": {"id": 3}} | CLAIMS.get(action, {})


def test_recorded_events_can_be_processed(backend, capture):
    for path in CAPTURES.glob("webhook-*.json"):
        answer = backend.client.post("/webhook", json=capture(path.stem))
        assert answer.status_code == 201, path.name


MALFORMED = [
    {"action": 3},
    {"action": "ANNOTATION_CREATED"},
    CREATED | {"project": "3"},
    CREATED | {"annotation": {"id": 2**70, "task": 2}},
    CREATED | {"annotation": {"id": 5}},
    CREATED | {"annotation": []},
    EVENTS["ANNOTATIONS_DELETED"] | {"annotations": [{"id": "5"}]},
    EVENTS["TASKS_DELETED"] | {"tasks": None},
    EVENTS["START_TRAINING"] | {"project": {"id": True}},
]


@pytest.mark.parametrize("body", MALFORMED)
def test_what_could_not_be_processed_is_refused_at_the_door(make_backend, jobs, body):
    client = make_backend(webhook_secret=SECRET).client
    assert client.post("/webhook", json=body).status_code == 401
    answer = client.post(f"/k/{SECRET}/webhook", json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")
    assert jobs() == []


def test_one_annotation_without_a_number_does_not_cost_the_others(backend, jobs):
    body = CREATED | {"annotation": [{"id": "x"}, {"id": 5, "task": 2}, None]}
    assert backend.client.post("/webhook", json=body).status_code == 201
    ((_, event),) = jobs()
    assert event["body"]["annotation"] == [{"id": 5, "task": 2}]


@pytest.mark.parametrize("is_away", [False, True])
def test_events_to_be_confirmed_take_limited_room_and_others_theirs(
    make_backend, tmp_path, monkeypatch, is_away
):
    monkeypatch.setattr("backend.jobs.job_queue.MOST_CLAIMS", 2)
    where = {"redis_url": f"unix://{tmp_path}/nobody.sock"} if is_away else {}
    client = make_backend(
        webhook_secret=SECRET, label_studio_url="http://ls", label_studio_api_key="key", **where
    ).client
    answers = [client.post("/webhook", json=CREATED).status_code for _ in range(3)]
    assert answers == [201, 201, 503]
    assert client.post(f"/k/{SECRET}/webhook", json=CREATED).status_code == 201


def test_an_event_without_meaning_here_is_answered_and_forgotten(backend, jobs):
    answer = backend.client.post("/webhook", json={"action": "LABEL_LINK_CREATED"})
    assert answer.status_code == 201
    assert jobs() == []


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
        annotations = [json.loads(one.read_text())["body"]["annotation"] for one in kept]
        assert [one["id"] for (one,) in annotations] == [body["annotation"]["id"]] * 3


def test_events_wait_on_disk_while_the_queue_is_away(make_backend, tmp_path, queue_server, jobs):
    away = make_backend(redis_url=f"unix://{tmp_path}/nobody.sock")
    for number in range(3):
        body = CREATED | {"annotation": {"id": number, "task": 2}}
        assert away.client.post("/webhook", json=body).status_code == 201
    assert away.parts.queue.depths() is None
    assert away.parts.queue.on_disk == 3
    assert "does not answer" in away.client.get("/").text
    away.parts.close()
    back = make_backend(redis_url=queue_server)  # the same state folder, after a restart
    deadline = time.monotonic() + 20
    while len(jobs()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [event["body"]["annotation"][0]["id"] for _, event in jobs()] == [0, 1, 2]
    while back.parts.queue.on_disk and time.monotonic() < deadline:
        time.sleep(0.05)
    assert back.parts.queue.on_disk == 0


def test_an_event_is_kept_only_once_the_disk_has_it(make_backend, tmp_path, monkeypatch):
    def refuse(_):
        raise OSError("Input/output error")

    away = make_backend(redis_url=f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(os, "fsync", refuse)
    assert away.client.post("/webhook", json=CREATED).status_code == 500
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
    body = CREATED
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
    assert client.post("/webhook", json=CREATED).status_code == 201
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


FORWARDED = [{"X-Forwarded-For": "10.0.0.9"}, {"Forwarded": "for=10.0.0.9"}]


@pytest.mark.parametrize("headers", FORWARDED)
def test_a_webhook_through_a_proxy_proves_nothing(make_backend, jobs, headers):
    body = CREATED
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
