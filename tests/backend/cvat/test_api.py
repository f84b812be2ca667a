"""A server that answers otherwise than CVAT is named, and never asked for ever."""

import pytest

from backend.cvat import api
from backend.cvat.api import CvatApi, CvatError

pytestmark = pytest.mark.security


@pytest.fixture
def answers(fake, monkeypatch):
    """Sets what the server answers with to everything."""

    def use(content):
        monkeypatch.setattr(fake, "found", lambda *_: content)
        return CvatApi(fake.url, "0" * 40)

    monkeypatch.setattr("tests.backend.cvat.fake_cvat.TOKEN", "0" * 40)
    return use


def test_a_list_without_an_end_is_given_up(answers, fake, monkeypatch):
    monkeypatch.setattr(api, "MOST_PAGES", 3)
    endless = {"results": [{"id": 1}], "next": "more"}
    with answers(endless) as cvat, pytest.raises(CvatError, match="more than 3 pages"):
        list(cvat.listed("/api/jobs"))
    assert len(fake.asked) == 3


@pytest.mark.parametrize("content", [[], {"next": "more"}, {"results": {"id": 1}}, "x", 5])
def test_what_is_no_list_is_named(answers, content):
    with answers(content) as cvat, pytest.raises(CvatError, match="does not answer with a list"):
        list(cvat.listed("/api/jobs"))
