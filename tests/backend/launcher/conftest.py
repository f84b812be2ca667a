"""Settings that start: a free port and a state folder of their own."""

import pytest

from backend.settings import load
from tests.ports import free_port


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    port = free_port()
    return lambda **more: load(**({"state_dir": tmp_path / "state", "port": port} | more))
