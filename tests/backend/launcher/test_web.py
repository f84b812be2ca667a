"""The web server's own behavior, with an application that needs no model."""

import http.client
import socket
import subprocess
from contextlib import ExitStack, closing

import pytest

from tests.backend.launcher.web_server import health, served

pytestmark = pytest.mark.slow

SERVER = """
import gc
from flask import Flask
from backend import settings
from backend.launcher.web import WebApplication

class Small(WebApplication):
    def load(self):
        app = Flask("small")
        app.add_url_rule("/health", "health", lambda: {"status": "UP"})
        app.add_url_rule("/frozen", "frozen", lambda: {"status": gc.get_freeze_count()})
        return app

Small(settings.load()).run()
"""


@pytest.fixture
def port(tmp_path):
    with served(tmp_path, SERVER) as (port, _):
        yield port


def test_garbage_collections_leave_out_what_was_loaded(port):
    assert health(port, path="frozen") > 10_000


@pytest.mark.security
def test_connections_that_say_nothing_take_no_thread_from_others(port):
    """Each has one of its own; with gunicorn's worker class it would keep one from others."""
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert health(port, timeout=8) == "UP"


FAILING = """
from backend import settings
from backend.errors import ServingError
from backend.launcher.web import WebApplication
from backend.serving.error_journal import ErrorJournal
from backend.web.app import create_app

class Failing(WebApplication):
    def load(self):
        app = create_app(self.settings, ErrorJournal(), [])
        app.add_url_rule("/health", "health", lambda: {"status": "UP"})
        app.add_url_rule("/fails", "fails", self.fail)
        return app

    def fail(self):
        raise ServingError("The “model” is\\r\\nbusy: click again…")

Failing(settings.load()).run()
"""


def test_the_sentence_of_an_error_reaches_the_wire_as_its_reason_phrase(tmp_path):
    with (
        served(tmp_path, FAILING) as (port, _),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection,
    ):
        connection.request("GET", "/fails")
        answer = connection.getresponse()
        assert (answer.status, answer.reason) == (500, 'The "model" is busy: click again...')
        answer.read()
        connection.request("GET", "/nowhere")
        answer = connection.getresponse()
        assert answer.status == 404
        assert answer.reason.startswith("The requested URL was not found")


BUSY = SERVER.replace(
    "import gc",
    """import gc, threading, torch

def work():
    network = torch.jit.script(torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3)).eval())
    with torch.inference_mode():
        while True:
            network(torch.rand(1, 3, 64, 64))

def begin():
    threading.Thread(target=work, daemon=True).start()
""",
).replace("app = Flask", "begin(); app = Flask")


@pytest.mark.security
def test_stopping_amid_the_models_work_ends_quietly(tmp_path):
    """Python would stop the model's thread inside C++, which aborts the whole process."""
    with served(tmp_path, BUSY, stderr=subprocess.PIPE) as (port, process):
        assert health(port) == "UP"
        process.terminate()
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0


READING = SERVER.replace(
    """app = Flask("small")""",
    """from backend.logs import log_from
        from backend.serving.error_journal import ErrorJournal
        from backend.web.app import create_app
        from backend.web.json_body import json_body, raw_body

        log_from("info", ["hush-hush"])
        app = create_app(self.settings, ErrorJournal(), [])
        app.add_url_rule("/json", "json", lambda: json_body(), methods=["POST"])
        app.add_url_rule("/raw", "raw", lambda: raw_body(), methods=["POST"])
        app.add_url_rule("/unread", "unread", lambda: {}, methods=["POST"])""",
)

HEAD = b"POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "no size": CHUNKED + b"find-me\r\n",
    "too long": CHUNKED + b"2\r\n{}find-me\r\n0\r\n\r\n",
    "negative": CHUNKED + b"-2\r\nfind-me",
    "cut off": CHUNKED + b"50\r\n{find-me",
    "shorter than it says": HEAD + b"Content-Length: 50\r\n\r\n{find-me",
    "valid, but shorter than it says": HEAD + b"Content-Length: 50\r\n\r\n{}",
    "extension": CHUNKED + b"2;find-me\x00\r\n{}\r\n0\r\n\r\n",
}
NO_HTTP = [
    b"find-me\r\n\r\n",
    b"GET /k/hush-hush find-me\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nfind-me\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\r\n find-me\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: find-me\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: find-me\r\n\r\n",
    b"GET /" + b"find-me" * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


def say(port, said):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read()


@pytest.mark.security
def test_broken_requests_are_refused_and_not_quoted(tmp_path):
    with served(tmp_path, READING, stderr=subprocess.PIPE) as (port, process):
        for said in BROKEN.values():
            assert say(port, said % b"json").startswith(b"HTTP/1.1 400"), said
            assert say(port, said % b"raw").startswith(b"HTTP/1.1 400"), said
            assert say(port, said % b"unread").startswith(b"HTTP/1.1 200"), said
        for said in NO_HTTP:
            assert say(port, said)[9:12] in {b"400", b"414", b"501"}, said
        assert health(port) == "UP"
        process.terminate()
        log = process.communicate(timeout=60)[1].decode()
    assert "/json 400" in log
    assert "Invalid request from ip=127.0.0.1" in log
    for private in ("find-me", "hush-hush", "Traceback"):
        assert private not in log
