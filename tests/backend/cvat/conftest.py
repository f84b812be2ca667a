import pytest

from tests.backend.cvat.cvat_page import CvatServer


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
