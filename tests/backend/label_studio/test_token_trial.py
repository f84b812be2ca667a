"""A token that Label Studio refuses is said to be refused, with what to do, before any click."""

import json
import logging
import threading
import time

import pytest

from backend.label_studio.access import Access
from backend.label_studio.token_trial import WHO, TokenTrial, try_access
from tests.backend.http_servers import send
from tests.backend.label_studio.fake_label_studio import LEGACY, PERSONAL, LabelStudio, jwt

JSON = {"Content_Type": "application/json"}
ME = send(json.dumps({"email": "anna@example.com"}).encode(), **JSON)


@pytest.fixture
def real(serve):
    """A Label Studio that says who asks, to those with a token."""
    studio = LabelStudio(serve)
    studio.show(WHO, ME)
    return studio


def waited_for(connection):
    deadline = time.monotonic() + 20
    while connection.verdict is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return connection.verdict


@pytest.mark.parametrize(
    ("token", "words", "remedy"),
    [
        (LEGACY[::-1], "the legacy token is not accepted", "let an owner allow legacy tokens"),
        (jwt(token_type="refresh", n=1), "the personal access token is not accepted", "make a"),
        (None, "there is no token", "make a personal access token"),
    ],
    ids=["legacy", "personal", "none"],
)
def test_a_refused_token_is_named_with_what_to_do(real, token, words, remedy):
    verdict = try_access(Access(real.url, token), 5)
    assert not verdict.is_good
    assert words in verdict.words
    assert remedy in verdict.remedy
    assert f"LABEL_STUDIO_URL={real.url} and LABEL_STUDIO_API_KEY=" in verdict.remedy
    assert str(token) not in str(verdict)


@pytest.mark.parametrize(("token", "kind"), [(LEGACY, "legacy"), (PERSONAL, "personal access")])
def test_an_accepted_token_is_that_of_somebody(real, token, kind):
    verdict = try_access(Access(real.url, token), 5)
    assert verdict.is_good, verdict
    assert str(verdict) == f"the {kind} token of anna@example.com is accepted"


@pytest.mark.parametrize("may_be_away", [True, False])
def test_a_label_studio_that_has_not_started_yet_is_no_news(caplog, may_be_away):
    trial = TokenTrial()
    trial.begin(Access("http://127.0.0.1:1", LEGACY), may_be_away=may_be_away)
    assert waited_for(trial).is_away
    deadline = time.monotonic() + 20
    while not may_be_away and not caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ("cannot be reached" in caplog.text) != may_be_away


def test_a_label_studio_that_is_away_is_no_refusal(serve):
    verdict = try_access(Access("http://127.0.0.1:1", LEGACY), 5)
    assert "cannot be reached" in str(verdict)
    assert "not accepted" not in str(verdict)
    other = serve({WHO: send(b"[]", **JSON)})
    assert "not the address of Label Studio" in str(try_access(Access(other.url, LEGACY), 5))


@pytest.mark.parametrize("is_accepted", [True, False])
def test_the_token_of_setup_is_tried_and_the_verdict_is_on_the_page_and_in_the_log(
    backend, real, caplog, is_accepted
):
    caplog.set_level(logging.DEBUG, "backend.label_studio.token_trial")
    token = LEGACY if is_accepted else LEGACY[::-1]
    body = {"project": "7.1", "schema": "", "hostname": real.url, "access_token": token}
    connection = backend.parts.label_studio.connection
    assert connection.verdict is None
    backend.client.post("/setup", json=body)
    verdict = waited_for(connection)
    assert verdict.is_good == is_accepted
    page = backend.client.get("/").text
    assert verdict.words in page.replace("&#34;", '"')
    mood = "good" if is_accepted else "bad"
    assert f'<span class="{mood}">the legacy token' in page
    (record,) = [one for one in caplog.records if verdict.words in one.getMessage()]
    assert record.levelno == (logging.DEBUG if is_accepted else logging.ERROR)


def test_setup_does_not_wait_for_the_trial(backend, serve):
    answers = threading.Event()

    def late(handler):
        assert answers.wait(20)
        ME(handler)

    body = {"project": "7.1", "schema": "", "access_token": "tok"}
    body["hostname"] = serve({WHO: late}).url
    assert backend.client.post("/setup", json=body).status_code == 200
    assert backend.parts.label_studio.connection.verdict is None
    answers.set()
    assert waited_for(backend.parts.label_studio.connection).is_good


def test_an_accepted_token_is_not_tried_with_every_page(real):
    trial = TokenTrial()
    for _ in range(5):
        trial.begin(Access(real.url, LEGACY))
        waited_for(trial)
    assert len(real.server.asked) == 1
    trial.begin(Access(real.url, LEGACY[::-1]))
    assert not waited_for(trial).is_good
