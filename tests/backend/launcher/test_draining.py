"""A web server that is told to stop goes on answering, says so, and finishes what it has begun."""

import json
import signal
import threading
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.backend.launcher.web_server import served

pytestmark = pytest.mark.slow

SERVER = """
import threading, time
from pathlib import Path
from types import SimpleNamespace
from flask import Flask
from backend import settings
from backend.launcher.web import WebApplication

class Small(WebApplication):
    def load(self):
        self._backend = SimpleNamespace(draining=threading.Event(), close=lambda: None)
        is_draining = self._backend.draining.is_set

        def health():
            return {"status": "DRAINING" if is_draining() else "UP"}, 503 if is_draining() else 200

        def slow():
            Path("begun").touch()
            while not Path("go").exists():
                time.sleep(0.02)
            return {"status": "done"}

        app = Flask("small")
        app.add_url_rule("/health", "health", health)
        app.add_url_rule("/slow", "slow", slow)
        return app

Small(settings.load()).run()
"""


def asked(port, path):
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
            return answer.status, json.load(answer)["status"]
    except HTTPError as error:
        return error.code, json.load(error)["status"]
    except OSError:  # nobody listens, or not for long any more
        return None


def until(is_true):
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("drains", [True, False], ids=["with a balancer in front", "alone"])
def test_what_is_under_way_is_answered_after_the_port_is_closed(tmp_path, monkeypatch, drains):
    monkeypatch.setenv("DYNAMITE_DRAIN_SECONDS", "1.5" if drains else "0")
    with served(tmp_path, SERVER) as (port, process):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(asked(port, "slow")))
        thread.start()
        until((tmp_path / "begun").exists)
        process.send_signal(signal.SIGTERM)
        if drains:
            until(lambda: asked(port, "health") == (503, "DRAINING"))
        until(lambda: asked(port, "health") is None)
        assert answers == []
        (tmp_path / "go").touch()
        thread.join()
        assert answers == [(200, "done")]
        assert process.wait(60) == 0
