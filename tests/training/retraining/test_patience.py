import threading
import time

import pytest

import training.retraining.waiting as waiting
from dynamite.registry import Registry, StaleError


def test_a_publication_waits_for_a_shared_folder_that_is_gone_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.05)
    (tmp_path / "models").mkdir()
    registry = Registry(tmp_path / "models" / "shared")
    first = registry.begin("training")
    (tmp_path / "models").rename(tmp_path / "away")
    tries = []

    def promote():
        tries.append(time.monotonic())
        return registry.promote(None, holder="training", reason="test", token=first)

    def bring_back():
        while len(tries) < 3:
            time.sleep(0.01)
        (tmp_path / "away").rename(tmp_path / "models")

    thread = threading.Thread(target=bring_back)
    thread.start()
    entry = waiting.patiently(promote)
    thread.join()
    assert entry.number == first.number + 1
    assert len(tries) > 3
    with pytest.raises(StaleError):  # not a thing to wait for
        waiting.patiently(lambda: registry.promote(None, holder="x", reason="x", token=first))
