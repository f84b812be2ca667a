"""Who gets a token, and how a personal one is exchanged."""

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from backend import errors
from backend.fetch.deadline import Deadline
from backend.label_studio.tokens import Tokens
from tests.backend.http_servers import PNG, Serve, redirect, send
from tests.backend.label_studio.fake_label_studio import LEGACY, PERSONAL, LabelStudio


def late(_: BaseHTTPRequestHandler) -> None:
    time.sleep(0.6)


class TestTokens:
    def test_another_host_gets_none(self, serve: Serve, label_studio: LabelStudio) -> None:
        other = serve({"/data/upload/a.png": send()}, host="127.0.0.2")
        fetcher = label_studio.fetcher(hosts=(other.at,))
        assert fetcher.fetch(f"{other.url}/data/upload/a.png").data == PNG
        assert "authorization" not in other.asked[0].headers

    def test_another_port_of_the_same_host_gets_none(
        self, serve: Serve, label_studio: LabelStudio
    ) -> None:
        other = serve({"/data/upload/a.png": send()})
        fetcher = label_studio.fetcher(hosts=(other.at,))
        fetcher.fetch(f"{other.url}/data/upload/a.png")
        assert "authorization" not in other.asked[0].headers

    @pytest.mark.parametrize("token", [LEGACY, PERSONAL], ids=["legacy", "personal"])
    def test_a_redirect_takes_none_along(
        self, serve: Serve, label_studio: LabelStudio, token: str
    ) -> None:
        other = serve({}, host="127.0.0.2")
        label_studio.show("/data/upload/a.png", redirect(f"{other.url}/data/upload/a.png"))
        label_studio.show("/data/upload/b.png")
        back = redirect(f"{label_studio.url}/data/upload/b.png")
        other.pages["/data/upload/a.png"] = back
        fetcher = label_studio.fetcher(token, hosts=(other.at,))
        assert fetcher.fetch("/data/upload/a.png").data == PNG
        assert "authorization" not in other.asked[0].headers
        assert "authorization" in label_studio.server.asked[-1].headers
        assert len(label_studio.issued) == (token == PERSONAL), "one exchange for both pages"

    def test_pages_that_are_no_data_get_none(self, label_studio: LabelStudio) -> None:
        label_studio.server.pages[label_studio.prefix + "/static/a.png"] = send()
        assert label_studio.fetcher().fetch("/static/a.png").data == PNG
        assert "authorization" not in label_studio.server.asked[-1].headers

    def test_an_access_token_is_used_until_it_ends(self, label_studio: LabelStudio) -> None:
        label_studio.show("/data/upload/a.png")
        fetcher = label_studio.fetcher(PERSONAL)
        for _ in range(3):
            fetcher.fetch("/data/upload/a.png")
        assert len(label_studio.issued) == 1

    def test_an_access_token_that_ends_soon_is_renewed(self, label_studio: LabelStudio) -> None:
        label_studio.life = 5
        label_studio.show("/data/upload/a.png")
        fetcher = label_studio.fetcher(PERSONAL)
        for _ in range(3):
            fetcher.fetch("/data/upload/a.png")
        assert len(label_studio.issued) == 3

    def test_an_access_token_refused_is_renewed_once(self, label_studio: LabelStudio) -> None:
        label_studio.show("/data/upload/a.png")
        fetcher = label_studio.fetcher(PERSONAL)
        fetcher.fetch("/data/upload/a.png")
        label_studio.valid = set()
        assert fetcher.fetch("/data/upload/a.png").data == PNG
        assert len(label_studio.issued) == 2

    def test_a_token_that_stays_refused_is_said_to_be(self, label_studio: LabelStudio) -> None:
        label_studio.show("/data/upload/a.png")
        label_studio.server.pages[label_studio.prefix + "/data/upload/a.png"] = send(b"", 401)
        for token in (LEGACY, PERSONAL):
            with pytest.raises(errors.ImageUnauthorizedError, match="token is not accepted"):
                label_studio.fetcher(token).fetch("/data/upload/a.png")
        assert label_studio.server.paths.count(label_studio.prefix + "/data/upload/a.png") == 3

    def test_a_personal_token_that_buys_nothing(self, label_studio: LabelStudio) -> None:
        label_studio.refuses_refresh = True
        with pytest.raises(errors.ImageUnauthorizedError, match="personal access token"):
            label_studio.fetcher(PERSONAL).fetch("/data/upload/a.png")

    @pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"access": 1}', b'{"access":"a\\r\\nb"}'])
    def test_a_strange_exchange(self, label_studio: LabelStudio, answer: bytes) -> None:
        label_studio.server.pages[label_studio.prefix + "/api/token/refresh"] = send(answer)
        with pytest.raises(errors.ImageUnauthorizedError):
            label_studio.fetcher(PERSONAL).fetch("/data/upload/a.png")

    def test_what_takes_too_long_is_named(self, label_studio: LabelStudio) -> None:
        label_studio.show("/data/upload/a.png", late)
        label_studio.server.pages[label_studio.prefix + "/api/token/refresh"] = late
        for token, path in ((LEGACY, "/data/upload/a.png"), (PERSONAL, "/api/token/refresh")):
            with pytest.raises(errors.ImageTimeoutError) as caught:
                label_studio.fetcher(token, timeout=0.2).fetch("/data/upload/a.png?x=1")
            words = f"{label_studio.url}{path} did not answer in full within 0.2 seconds"
            assert str(caught.value) == f"{words} (DYNAMITE_IMAGE_TIMEOUT)"

    def test_who_waits_for_anothers_exchange_is_told_so(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def hold(*_: object) -> tuple[int, object]:
            begun.set()
            go_on.wait(20)
            return 200, {"access": "x"}

        tokens = Tokens(PERSONAL, hold)
        first = threading.Thread(target=tokens.headers, args=(Deadline(20),))
        first.start()
        assert begun.wait(20)
        with pytest.raises(
            errors.ImageTimeoutError, match=r"asked for an access token.*0\.2 seconds$"
        ):
            tokens.headers(Deadline(0.2))
        go_on.set()
        first.join()

    def test_threads_share_one_exchange(self, label_studio: LabelStudio) -> None:
        label_studio.show("/data/upload/a.png")
        fetcher = label_studio.fetcher(PERSONAL)
        barrier, found = threading.Barrier(8), []

        def work() -> None:
            barrier.wait()
            found.append(fetcher.fetch("/data/upload/a.png").data)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [PNG] * 8
        assert len(label_studio.issued) == 1

    @pytest.mark.parametrize("token", [None, ""])
    def test_without_a_token_the_message_asks_for_one(
        self, label_studio: LabelStudio, token: str | None
    ) -> None:
        label_studio.show("/data/upload/a.png")
        with pytest.raises(errors.ImageUnauthorizedError, match="set LABEL_STUDIO_API_KEY"):
            label_studio.fetcher(token).fetch("/data/upload/a.png")

    def test_a_login_page_is_no_image(self, label_studio: LabelStudio) -> None:
        pages = label_studio.server.pages
        pages[label_studio.prefix + "/data/upload/a.png"] = redirect("/user/login/?next=/data")
        pages["/user/login/"] = send(b"<!doctype html>", Content_Type="text/html; charset=utf-8")
        with pytest.raises(errors.ImageUnauthorizedError):
            label_studio.fetcher().fetch("/data/upload/a.png")

    @pytest.mark.parametrize("token", [LEGACY, PERSONAL], ids=["legacy", "personal"])
    @pytest.mark.parametrize("path", ["/data/upload/a.png", "/data/upload/none.png", "s3://b/x"])
    def test_none_is_ever_logged_or_shown(
        self, label_studio: LabelStudio, token: str, path: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        label_studio.show("/data/upload/a.png", send(b"", 500))
        fetcher = label_studio.fetcher(token)
        with pytest.raises(errors.ImageError) as caught:
            fetcher.fetch(path, 1)
        told = [caplog.text, str(caught.value), repr(caught.value), repr(fetcher._settings)]
        for secret in (LEGACY, PERSONAL, *label_studio.issued):
            assert not any(secret in text for text in told)

    @pytest.mark.parametrize("token", ["two words", "line\r\nX-Admin: 1", "tokén"])
    def test_a_token_that_is_none_is_not_repeated(
        self, label_studio: LabelStudio, token: str
    ) -> None:
        with pytest.raises(errors.ImageUnauthorizedError) as caught:
            label_studio.fetcher(token)
        assert token not in str(caught.value)
