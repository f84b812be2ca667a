"""One id follows a request from HAProxy through a backend into the worker's job, in JSON."""

import http.client
import json
import os
import subprocess
import sys

import pytest
from redis import Redis

from backend.jobs.job_queue import ingest_queue
from backend.label_studio.ingest.job_names import EVENT_JOB
from tests.deploy.replicas import HAPROXY, Team, until

pytestmark = pytest.mark.load

SECRET, PASSWORD = "hush-hush-webhook", "hush-hush-password"

EVENT = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 3}}


@pytest.fixture
def team(tmp_path, queue_server):
    if HAPROXY is None:
        pytest.skip("haproxy is not installed: `apt-get install haproxy`")
    team = Team(
        tmp_path,
        queue_server,
        replicas=1,
        drain_seconds=0.0,
        log_format="json",
        log_level="debug",
        webhook_secret=SECRET,
        basic_auth_user="label-studio",
        basic_auth_password=PASSWORD,
    )
    try:
        team.start()
        yield team
    finally:
        team.stop()


def post(port, path, body):
    """Send a call; its status and the id that the answer carries."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["X-Request-Id"]
    finally:
        connection.close()


def work(queue_server, folder):
    """Do the jobs in the queue; the log of the worker and of its jobs' processes."""
    own = {
        "REDIS_URL": queue_server,
        "DYNAMITE_STATE_DIR": str(folder / "worker"),
        "DYNAMITE_LOG_FORMAT": "json",
        "DYNAMITE_WEBHOOK_SECRET": SECRET,
    }
    command = [sys.executable, "-m", "backend.cli", "worker", "--burst", "--queues", "ingest"]
    done = subprocess.run(
        command, env=os.environ | own, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stderr


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_followed_from_the_load_balancer_into_its_job(team, queue_server, tmp_path):
    status, request_id = post(team.port, f"/k/{SECRET}/webhook", EVENT)
    assert status == 201
    (backend,) = team.replicas.values()
    until(lambda: request_id in backend.log.read_text())
    (call,) = [
        record for record in records(backend.log.read_text()) if "webhook" in record["message"]
    ]
    assert call["request_id"] == request_id
    assert call["message"].startswith("POST /k/…/webhook 201")
    text = work(queue_server, tmp_path)
    followed = [record for record in records(text) if record.get("request_id") == request_id]
    assert [record["message"] for record in followed] == [
        "ANNOTATIONS_DELETED: 0 annotations deleted"
    ]
    assert SECRET not in backend.log.read_text() + text


@pytest.mark.parametrize("path", ["/k/{}/predict", "//k/{}/predict", "/%6b/{}/predict", "/x/k/{}"])
def test_a_call_that_fails_is_logged_by_the_load_balancer_under_the_same_id(team, path):
    (backend,) = team.replicas.values()
    backend.stop()
    status, _ = post(team.port, path.format(SECRET), {"tasks": [{"id": 1}]})
    assert status in (502, 503)  # the latter once HAProxy knows that it is down
    until(lambda: f'"status":{status}' in team.log.read_text())
    text = team.log.read_text()
    (call,) = [json.loads(line) for line in text.splitlines() if f'"status":{status}' in line]
    assert len(call["request_id"]) == 36
    assert call["method"] == "POST" and call["path"].endswith(path[-5:].replace("{}", "-"))
    assert SECRET not in text


def test_a_wrong_password_is_in_no_log(team):
    status, request_id = post(team.port, f"/predict?password={PASSWORD}", {"key": PASSWORD})
    assert status == 401
    (backend,) = team.replicas.values()
    until(lambda: request_id in backend.log.read_text())
    text = backend.log.read_text()
    followed = [record for record in records(text) if record.get("request_id") == request_id]
    assert [record["level"] for record in followed] == ["error", "warning"]
    assert PASSWORD not in text + team.log.read_text()


def test_the_process_of_a_job_masks_secrets_too(queue_server, tmp_path):
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
        ingest_queue(redis).enqueue(EVENT_JOB, {"body": EVENT, "source": SECRET})
    text = work(queue_server, tmp_path)
    (failed,) = [record for record in records(text) if "Traceback" in record["message"]]
    assert "comes from the Label Studio '…'" in failed["message"]
    assert SECRET not in text
