"""Every form of an image's address, against a server that behaves like Label Studio's."""

import base64
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from backend.fetch.deadline import Deadline
from backend.images import errors
from backend.images.decode import digest
from backend.label_studio.images import FetchSettings, ImageFetcher
from backend.label_studio.tokens import Tokens
from tests.backend.fetch.conftest import PNG, Serve, redirect, send
from tests.backend.fetch.fake_label_studio import LEGACY, PERSONAL, LabelStudio


@pytest.fixture(params=["", "/labels"], ids=["at the top", "below a folder"])
def label_studio(serve: Serve, request: pytest.FixtureRequest) -> LabelStudio:
    return LabelStudio(serve, request.param)


@pytest.mark.parametrize("token", [LEGACY, PERSONAL], ids=["legacy", "personal"])
def test_an_upload(label_studio: LabelStudio, token: str) -> None:
    label_studio.show("/data/upload/1/ab-cat.png")
    image = label_studio.fetcher(token).fetch("/data/upload/1/ab-cat.png", 1)
    assert image.data == PNG
    assert image.digest == digest(PNG)


def test_the_same_upload_with_its_whole_address(label_studio: LabelStudio) -> None:
    label_studio.show("/data/upload/1/cat.png")
    fetcher = label_studio.fetcher()
    assert fetcher.fetch(f"{label_studio.url}/data/upload/1/cat.png").data == PNG
    assert fetcher.fetch(f"{label_studio.prefix}/data/upload/1/cat.png").data == PNG


def test_characters_of_a_real_name(label_studio: LabelStudio) -> None:
    label_studio.show("/data/upload/1/a%20b%C3%BC.png")
    assert label_studio.fetcher().fetch(" /data/upload/1/a bü.png ").data == PNG


@pytest.mark.parametrize("uri", ["s3://bucket/a/b c.png", "gs://b/ü.png", "azure-blob://c/d.png"])
def test_a_storage_is_reached_through_its_task(
    serve: Serve, label_studio: LabelStudio, uri: str
) -> None:
    storage = serve({"/signed": send()}, host="127.0.0.2")
    label_studio.show("/tasks/7/presign/", redirect(f"{storage.url}/signed?sig=x%2Fy"))
    fetcher = label_studio.fetcher(hosts=(storage.at,))
    assert fetcher.fetch(uri, 7).data == PNG
    asked = label_studio.server.paths[0].partition("fileuri=")[2]
    assert base64.urlsafe_b64decode(asked).decode() == uri
    assert storage.paths == ["/signed?sig=x%2Fy"]
    assert "authorization" not in storage.asked[0].headers, "the token is Label Studio's"


def test_a_storage_whose_host_is_not_listed_is_refused(
    serve: Serve, label_studio: LabelStudio
) -> None:
    storage = serve({"/signed": send()}, host="127.0.0.2")
    label_studio.show("/tasks/7/presign/", redirect(f"{storage.url}/signed?sig=secret"))
    with pytest.raises(errors.ImageRefusedError, match="DYNAMITE_IMAGE_HOSTS") as caught:
        label_studio.fetcher().fetch("s3://bucket/a.png", 7)
    assert storage.at in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not storage.asked


@pytest.mark.parametrize("task", [None, "", "7/../8", "x", -1])
def test_a_storage_without_a_task_is_refused(label_studio: LabelStudio, task: Any) -> None:
    with pytest.raises(errors.ImageRefusedError, match="no id"):
        label_studio.fetcher().fetch("s3://bucket/a.png", task)


def test_messages_name_what_the_task_holds(label_studio: LabelStudio) -> None:
    label_studio.show("/tasks/7/presign/", send(b"", 404))
    label_studio.show("/data/local-files/", send(b"", 404))
    for value in ("s3://bucket/a.png", "/data/local-files/?d=a/b.png", "/data/upload/1/c.png"):
        with pytest.raises(errors.ImageError) as caught:
            label_studio.fetcher().fetch(value, 7)
        assert value in str(caught.value)


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
        with pytest.raises(errors.ImageTimeoutError, match=r"exchange.*0\.2 seconds$"):
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


class TestLocalFiles:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "secret.png").write_bytes(b"secret")
        root = tmp_path / "files"
        root.mkdir()
        (root / "a b.png").write_bytes(PNG)
        (root / "link.png").symlink_to(tmp_path / "secret.png")
        return root

    @pytest.mark.parametrize("name", ["a%20b.png", "a+b.png", "./a b.png"])
    def test_a_file_in_the_folder_is_read_from_there(
        self, label_studio: LabelStudio, root: Path, name: str
    ) -> None:
        fetcher = label_studio.fetcher(local_root=root)
        for front in ("", label_studio.prefix, label_studio.url):
            assert fetcher.fetch(f"{front}/data/local-files/?d={name}").data == PNG
        assert not label_studio.server.asked

    def test_it_needs_no_label_studio(self, root: Path) -> None:
        fetcher = ImageFetcher(FetchSettings(local_root=root))
        assert fetcher.fetch("/data/local-files/?d=a b.png").data == PNG

    def test_other_files_are_asked_of_label_studio(
        self, label_studio: LabelStudio, root: Path
    ) -> None:
        label_studio.show("/data/local-files/")
        for local_root in (None, root):
            fetcher = label_studio.fetcher(local_root=local_root)
            assert fetcher.fetch("/data/local-files/?d=else/c%20d.png").data == PNG
        path = label_studio.prefix + "/data/local-files/?d=else/c%20d.png"
        assert label_studio.server.paths == [path, path]

    @pytest.mark.parametrize(
        "query",
        [
            "d=../secret.png",
            "d=%2e%2e/secret.png",
            "d=%2e%2e%2fsecret.png",
            "d=..%5csecret.png",
            "d=/etc/passwd",
            "d=%2fetc%2fpasswd",
            "d=a.png%00.jpg",
            "d=x/../../secret.png",
            "d=a%20b.png&d=../secret.png",
            "d=",
            "",
            "x=1",
            "d=%ff",
        ],
    )
    @pytest.mark.parametrize("with_root", [True, False])
    def test_ways_out_are_refused_and_not_passed_on(
        self, label_studio: LabelStudio, root: Path, query: str, with_root: bool
    ) -> None:
        label_studio.show("/data/local-files/")
        fetcher = label_studio.fetcher(local_root=root if with_root else None)
        for front in ("", label_studio.url):
            with pytest.raises(errors.ImageRefusedError):
                fetcher.fetch(f"{front}/data/local-files/?{query}")
        assert not label_studio.server.asked

    def test_a_link_out_is_refused(self, label_studio: LabelStudio, root: Path) -> None:
        with pytest.raises(errors.ImageRefusedError, match="symbolic link"):
            label_studio.fetcher(local_root=root).fetch("/data/local-files/?d=link.png")

    def test_without_a_folder_no_file_is_read(self) -> None:
        with pytest.raises(errors.ImageRefusedError, match="LABEL_STUDIO_URL"):
            ImageFetcher(FetchSettings()).fetch("/data/local-files/?d=etc/passwd")


def test_a_small_image_within_the_task() -> None:
    fetcher = ImageFetcher(FetchSettings(max_bytes=1000))
    whole = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert fetcher.fetch(whole).data == PNG
    assert fetcher.fetch(whole.replace("data:image", "DATA:image")).data == PNG
    with pytest.raises(errors.ImageTooLargeError):
        fetcher.fetch(whole + "A" * 1000)
    with pytest.raises(errors.ImageUnreadableError):
        fetcher.fetch(whole + "!")
    for bad in ("data:", "data:,", "data:text/html;base64,AAAA", "data:image/png,AAAA"):
        with pytest.raises(errors.ImageRefusedError):
            fetcher.fetch(bad)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        None,
        7,
        ["/data/upload/a.png"],
        "cat.png",
        "file:///etc/passwd",
        "//evil.example/a.png",
        "http:/evil",
        "ftp://h/a.png",
        "s4://bucket/a.png",
        "/data/../api/current-user/token",
        "/data/%2e%2e/api/current-user/token",
        "/data/upload/a.png\r\nX: y",
        "\\\\server\\share\\a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:6379/",
    ],
)
def test_values_that_mean_nothing_are_refused(label_studio: LabelStudio, value: Any) -> None:
    with pytest.raises(errors.ImageRefusedError):
        label_studio.fetcher().fetch(value, 1)
    assert not label_studio.server.asked


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, errors.ImageUnauthorizedError),
        (404, errors.ImageMissingError),
        (410, errors.ImageMissingError),
        (206, errors.ImageUnreachableError),
        (500, errors.ImageUnreachableError),
        (503, errors.ImageUnreachableError),
    ],
)
def test_a_no_is_told_apart(
    label_studio: LabelStudio, status: int, error: type[errors.ImageError]
) -> None:
    label_studio.show("/data/upload/a.png", send(b"", status))
    with pytest.raises(error, match=f"status {status}"):
        label_studio.fetcher().fetch("/data/upload/a.png")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.ImageRefusedError),
        (451, errors.ImageRefusedError),
        (401, errors.ImageUnreachableError),
        (403, errors.ImageUnreachableError),
        (408, errors.ImageUnreachableError),
        (429, errors.ImageUnreachableError),
        (502, errors.ImageUnreachableError),
    ],
)
def test_what_an_image_host_refuses_for_good_is_told_from_what_may_pass(
    serve: Serve, label_studio: LabelStudio, status: int, error: type[errors.ImageError]
) -> None:
    host = serve({"/a.png": send(b"", status)}, host="127.0.0.2")
    with pytest.raises(error, match=f"status {status}"):
        label_studio.fetcher(hosts=(host.at,)).fetch(f"{host.url}/a.png")


def test_a_storage_that_fails_behind_label_studio_may_come_back(label_studio: LabelStudio) -> None:
    """Kept for later, not set aside: Label Studio hands the storage's bytes through itself."""
    label_studio.show("/tasks/7/presign/", send(b'{"error": "Storage stream failed"}', 424))
    with pytest.raises(errors.ImageUnreachableError, match=r"s3://bucket/a\.png .*status 424"):
        label_studio.fetcher().fetch("s3://bucket/a.png", 7)


def test_an_image_that_changes_is_fetched_anew(label_studio: LabelStudio) -> None:
    """The SDK keeps downloads by their address for ever; the digest is of what is there now."""
    fetcher = label_studio.fetcher()
    label_studio.show("/data/upload/a.png", send(b"one"))
    first = fetcher.fetch("/data/upload/a.png")
    label_studio.show("/data/upload/a.png", send(b"two"))
    assert first.digest != fetcher.fetch("/data/upload/a.png").digest
