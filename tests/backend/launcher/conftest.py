"""Settings that start: a free port and a state folder of their own."""

import socket

import pytest

from backend.settings import load


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return lambda **more: load(**({"state_dir": tmp_path / "state", "port": port} | more))
