"""What the tests of several backends share."""

import pytest
from redis import Redis

from tests.backend import conftest
from tests.deploy.replicas import HAPROXY, Team

queue_server = conftest.queue_server


@pytest.fixture
def team(tmp_path, queue_server):
    """Three backends behind HAProxy, as ``deploy/haproxy.cfg`` sets it."""
    if HAPROXY is None:
        pytest.skip("haproxy is not installed: `apt-get install haproxy`")
    with Redis.from_url(queue_server) as redis:
        redis.flushall()  # the tests' tasks have the same numbers
    team = Team(tmp_path, queue_server)
    try:
        team.start()
        yield team
    finally:
        team.stop()
