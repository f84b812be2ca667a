import threading
import time

import pytest

import training.retraining.work as work
from dynamite.registry import Registry, StaleError
from training.retraining.base_set import SHIPPED, open_base_set


def test_a_publication_waits_for_a_shared_folder_that_is_gone_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "WAIT_SECONDS", 0.05)
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
    entry = work.patiently(promote)
    thread.join()
    assert entry.number == first.number + 1
    assert len(tries) > 3
    with pytest.raises(StaleError):  # not a thing to wait for
        work.patiently(lambda: registry.promote(None, holder="x", reason="x", token=first))


def test_the_base_set_that_ships_is_small_whole_and_named_with_its_sources():
    dataset = open_base_set("", None)
    assert 20 <= len(dataset) <= 60
    sources = (SHIPPED / "SOURCES.md").read_text()
    for index, name in enumerate(dataset.sample_ids):
        assert f"| {name.rpartition('/')[2]} | CC BY" in sources
        assert 2 <= len(dataset[index].labels) <= 10
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.*")) < 1_500_000
