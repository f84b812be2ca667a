"""An API that drips its answer is left in time and named; whole answers arrive as they are."""

import gzip
import time

import pytest

from backend.cvat.api import CvatApi, CvatError
from backend.fetch.session import Session
from backend.label_studio.api import ApiError, LabelStudioApi
from tests.backend.http_servers import SLOW, redirect, send

pytestmark = pytest.mark.security

TOKEN = "0123456789abcdef"
APIS = pytest.mark.parametrize(
    ("api", "error"), [(LabelStudioApi, ApiError), (CvatApi, CvatError)], ids=["LS", "CVAT"]
)


@APIS
@pytest.mark.parametrize("kind", SLOW)
def test_an_answer_that_drips_is_left(serve, kind, api, error):
    server = serve({"/api/x": SLOW[kind]})
    start = time.monotonic()
    with api(server.url, TOKEN, seconds=0.5) as ask, pytest.raises(error) as caught:
        ask.get("/api/x")
    assert time.monotonic() - start < 10, "the server drips for 30 s"
    assert f"at {server.url} cannot be reached (no answer within" in str(caught.value)


@APIS
@pytest.mark.parametrize("rubbish", [b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"a": 1'])
def test_an_answer_that_is_no_json_is_named(serve, rubbish, api, error):
    server = serve({"/api/x": send(rubbish)})
    with api(server.url, TOKEN) as ask, pytest.raises(error, match="does not answer with JSON"):
        ask.get("/api/x")


@pytest.mark.parametrize(
    "rubbish",
    [b"[]", b"5", b"null", b'{"tasks": 5, "total": 1}', b'{"tasks": [{"id": []}], "total": 1}'],
)
def test_label_studios_tasks_are_none(serve, rubbish):
    server = serve({"/api/tasks": send(rubbish)})
    with LabelStudioApi(server.url, TOKEN) as ask:
        for question in (lambda: list(ask.tasks(1)), lambda: ask.task_count(1)):
            with pytest.raises(ApiError, match="does not answer with tasks"):
                question()


def test_whole_answers_are_read_as_ever(serve):
    text = b'{"release": "1.23.2"}' * 10_000
    packed = gzip.compress(text)

    def chunked(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (text[:100_000], text[100_000:]):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    server = serve(
        {
            "/plain": send(text),
            "/packed": send(packed, Content_Encoding="gzip"),
            "/chunked": chunked,
            "/moved": redirect("/plain"),
            "/empty": send(b""),
        }
    )
    with Session() as session:
        for path in ("/plain", "/packed", "/chunked", "/moved"):
            answer = session.get(server.url + path, timeout=30)
            assert answer.content == text
            assert answer.text == text.decode()
        assert session.get(server.url + "/empty", timeout=30).content == b""
        with session.get(server.url + "/plain", timeout=30, stream=True) as answer:
            assert b"".join(answer.iter_content(1000)) == text


def test_an_answer_that_ends_early_is_no_answer(serve):
    server = serve({"/api/x": send(b"[1]", Content_Length="100")})
    with CvatApi(server.url, TOKEN) as ask, pytest.raises(CvatError, match="nothing answers"):
        ask.get("/api/x")
