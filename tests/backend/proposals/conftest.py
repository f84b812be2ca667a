"""Backends whose proposals need no model, and a page at one."""

import pytest

from backend import composition
from tests.backend.proposals.pages import FakeProposer, Page


@pytest.fixture
def build(make_backend, monkeypatch):
    monkeypatch.setattr(composition, "Proposer", FakeProposer)
    return make_backend


@pytest.fixture
def backend(build):
    return build()


@pytest.fixture
def proposer(backend):
    return FakeProposer.last


@pytest.fixture
def page(backend):
    """A page with an accepted A at 150, 200."""
    page = Page(backend)
    page.click("A", 150, 200)
    page.accept_all()
    page.save()
    return page
