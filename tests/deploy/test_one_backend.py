"""One backend that is killed amid clicks: each object keeps its id."""

import http.client
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deploy.replicas import Annotator, Replica, post, until

pytestmark = pytest.mark.security


class Alone:
    """What an annotator asks: a backend without a balancer."""

    def __init__(self, replica):
        self.replica = replica
        self.bodies = []

    def predict(self, body):
        self.bodies.append(body)
        status, answer, _ = post(self.replica.port, body)
        return status, answer, "alone"


@pytest.fixture
def alone(tmp_path, queue_server):
    replica = Replica(tmp_path / "alone", queue_server, 0.0, tmp_path / "features")
    replica.start()
    until(lambda: replica.health() == (200, "UP"))
    yield Alone(replica)
    replica.stop()


def assert_unharmed(annotator):
    assert annotator.failures == []
    (ids,) = annotator.ids
    assert sorted(name[0] for name in ids) == ["A", "B"]


def test_killed_amid_clicks_it_answers_the_next_ones_with_the_same_objects(alone):
    annotator = Annotator(alone, 1)
    for _ in range(4):
        annotator.click()
    body = alone.bodies[-1]

    def ask(_):
        try:
            return post(alone.replica.port, body)[0]
        except (OSError, http.client.HTTPException):
            return None  # Label Studio's page shows its own error, and keeps what is drawn

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(ask, range(400))
        assert next(answers) == 200
        alone.replica.say(signal.SIGKILL)
        assert None in answers
    alone.replica.process.wait(60)
    alone.replica.start()
    until(lambda: alone.replica.health() == (200, "UP"))
    for _ in range(4):
        annotator.click()
    assert_unharmed(annotator)
