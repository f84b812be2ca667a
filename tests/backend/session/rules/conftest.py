import pytest

from tests.backend.session.page_model import Backend, Page, Server


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture(params=["brush", "bitmask"])
def server(request):
    return Server(request.param)


@pytest.fixture
def page(server, backend):
    return Page(server, backend)


@pytest.fixture
def saved(server, backend):
    """A page whose draft is always up to date."""
    return Page(server, backend, instant_save=True)
