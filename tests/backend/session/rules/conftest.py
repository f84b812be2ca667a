import pytest

from tests.backend.session.page_model import Backend, Page, Server


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def page(server, backend):
    return Page(server, backend)


@pytest.fixture
def saved(server, backend):
    """A page whose draft is always up to date."""
    return Page(server, backend, instant_save=True)
