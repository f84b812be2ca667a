"""The web server's own behavior, with an application that needs no model."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest

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


@contextmanager
def served(tmp_path, program=SERVER, **options):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"DYNAMITE_PORT": str(port), "DYNAMITE_STATE_DIR": str(tmp_path), "DYNAMITE_THREADS": "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | own, cwd=tmp_path, **options
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                health(port)
                break
            except URLError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port, process
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def port(tmp_path):
    with served(tmp_path) as (port, _):
        yield port


def health(port, timeout=60, path="health"):
    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=timeout) as answer:
        return json.load(answer)["status"]


def test_garbage_collections_leave_out_what_was_loaded(port):
    assert health(port, path="frozen") > 10_000


def test_connections_that_say_nothing_take_no_thread_from_others(port):
    """Each has one of its own; with gunicorn's worker class it would keep one from others."""
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert health(port, timeout=8) == "UP"


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


def test_stopping_amid_the_models_work_ends_quietly(tmp_path):
    """Python would stop the model's thread inside C++, which aborts the whole process."""
    with served(tmp_path, BUSY, stderr=subprocess.PIPE) as (port, process):
        assert health(port) == "UP"
        process.terminate()
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0
