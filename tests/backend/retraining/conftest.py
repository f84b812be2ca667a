import pytest
from redis import Redis


@pytest.fixture
def redis(queue_server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
        yield redis
