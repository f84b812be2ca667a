"""What the tests of the backend share."""

import pytest
from redis import Redis

from backend.launcher.valkey import valkey_child, wait_until_ready
from tests.backend import http_servers, served

serve = http_servers.serve
certificate = http_servers.certificate
label_studio = http_servers.label_studio

make_backend = served.make_backend
backend = served.backend
click = served.click
task = served.task
capture = served.capture


@pytest.fixture(scope="session")
def queue_server(tmp_path_factory):
    """The address of the embedded queue server, really running."""
    folder = tmp_path_factory.mktemp("queue")
    child = valkey_child(folder / "q.sock", folder)
    child.start()
    url = f"unix://{folder / 'q.sock'}"
    wait_until_ready(url, child)
    yield url
    child.stop()


@pytest.fixture
def redis(queue_server, tmp_path, monkeypatch):
    """An empty queue server, and a working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
        yield redis
