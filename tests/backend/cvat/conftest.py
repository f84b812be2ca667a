import pytest

from backend.cvat.collect.collector import open_collector
from backend.settings import load
from tests.backend.cvat.cvat_page import CvatServer
from tests.backend.cvat.fake_cvat import TOKEN, FakeCvat


@pytest.fixture
def backend(make_backend):
    return make_backend(cvat=True)


@pytest.fixture(params=["2.39.0", "2.58.9", "2.59.0", "2.69.3", "2.70.0", "2.80.1"])
def any_cvat(backend, request):
    """CVAT in every generation of its contract, and at the borders between them."""
    return CvatServer(backend.client, request.param)


@pytest.fixture
def cvat(backend):
    return CvatServer(backend.client)


@pytest.fixture
def fake():
    server = FakeCvat()
    yield server
    server.close()


@pytest.fixture
def collecting(redis, tmp_path, queue_server, fake):
    """Settings of a worker that collects from the fake CVAT."""

    def settings(**more):
        return load(
            **{
                "redis_url": queue_server,
                "state_dir": tmp_path / "state",
                "cvat": True,
                "cvat_url": fake.url,
                "cvat_token": TOKEN,
            }
            | more
        )

    return settings


@pytest.fixture
def collector(collecting):
    with open_collector(collecting()) as found:
        yield found
