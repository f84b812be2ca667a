import pytest
import torch

import dynamite
from backend.serving.current_model import load_current
from backend.serving.engine import Model
from backend.serving.loading import load_model
from backend.serving.model_watcher import ModelWatcher
from backend.serving.page_models import ANSWERING_SECONDS, PageModels
from backend.settings import load
from dynamite.checkpoints import checkpoint
from dynamite.network.config import Resize
from dynamite.registry import Description, Registry
from tests.training.tiny_run import TINY_MODEL


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    model = dynamite.load("lite", random_weights=True, resize=Resize(64, 64), **TINY_MODEL)
    found = {}
    for letter in "ab":
        with torch.no_grad():
            next(model.parameters()).add_(1)
        path = folder / f"{letter}.safetensors"
        found[letter] = (path, checkpoint.save(model, path, {}))
    return found


@pytest.fixture
def registry(tmp_path, files):
    (tmp_path / "models").mkdir()
    registry = Registry(tmp_path / "models" / "shared")
    for path, _ in files.values():
        registry.add(path, Description())
    return registry


class Engine:
    """Records swaps and alarms."""

    def __init__(self, registry):
        self.models, self.alarms, self.loads = [], [], 0
        self.watcher = ModelWatcher(
            registry, load=self.load, swap=self.models.append, alarm=self.alarms.append
        )

    def load(self, weights):
        self.loads += 1
        name = "shipped" if weights is None else weights.parent.name
        return Model(None, name, "cpu")


def promote(registry, name):
    registry.promote(name, holder="test", reason="test")


def test_a_new_current_version_is_swapped_in_and_a_rollback_too(registry, files):
    engine = Engine(registry)
    assert engine.watcher.check() is False
    for name in (files["a"][1], files["b"][1]):
        promote(registry, name)
        assert engine.watcher.check() is True
        assert engine.watcher.check() is False
    registry.rollback(holder="test")
    engine.watcher.check()
    registry.rollback(holder="test")
    engine.watcher.check()
    a, b = files["a"][1], files["b"][1]
    assert [model.version for model in engine.models] == [a, b, a, "shipped"]
    assert engine.alarms == []


def test_a_damaged_version_keeps_the_old_model_and_is_told_once(registry, files):
    engine = Engine(registry)
    promote(registry, files["a"][1])
    engine.watcher.check()
    promote(registry, files["b"][1])
    weights = registry.get(files["b"][1]).weights
    good = weights.read_bytes()
    weights.write_bytes(good[:1000])  # damaged after it was promoted
    for _ in range(3):
        assert engine.watcher.check() is False
    (alarm,) = engine.alarms
    assert files["b"][1] in alarm and "the old model stays" in alarm
    assert [model.version for model in engine.models] == [files["a"][1]]
    assert engine.watcher.problem == alarm
    promote(registry, files["a"][1])  # somebody goes back by hand
    engine.watcher.check()
    assert engine.watcher.problem is None


def test_while_the_share_is_gone_the_model_stays(registry, files, tmp_path):
    engine = Engine(registry)
    promote(registry, files["a"][1])
    engine.watcher.check()
    (tmp_path / "models").rename(tmp_path / "away")
    assert engine.watcher.check() is False
    (tmp_path / "models").mkdir()  # an empty mount point
    assert engine.watcher.check() is False
    assert len(engine.models) == 1
    assert len(engine.alarms) == 2
    (tmp_path / "models").rmdir()
    (tmp_path / "away").rename(tmp_path / "models")
    promote(registry, files["b"][1])
    assert engine.watcher.check() is True
    assert engine.watcher.problem is None


def test_what_is_begun_in_the_empty_mount_point_of_the_share_is_not_served(
    registry, files, tmp_path
):
    engine = Engine(registry)
    for letter in "aab":
        promote(registry, files[letter][1])
    engine.watcher.check()
    (tmp_path / "models").rename(tmp_path / "away")
    (tmp_path / "models").mkdir()
    registry.begin("a training that knows nothing")
    assert engine.watcher.check() is False
    assert engine.models[-1].version == files["b"][1]
    assert "not mounted" in engine.watcher.problem


def test_a_damaged_entry_deleted_as_the_message_says_leaves_no_alarm(registry, files):
    engine = Engine(registry)
    for letter in "ab":
        promote(registry, files[letter][1])
    engine.watcher.check()
    entry = registry.folder / "current" / "000000002.json"
    entry.write_text("")
    engine.watcher.check()
    assert "delete it" in engine.watcher.problem
    entry.unlink()
    assert engine.watcher.check() is True
    assert engine.models[-1].version == files["a"][1]
    assert engine.watcher.problem is None


@pytest.mark.slow
def test_the_watchers_own_thread_takes_it_up_within_ten_seconds(registry, files):
    import time

    engine = Engine(registry)
    engine.watcher.start()
    promote(registry, files["a"][1])
    start = time.monotonic()
    while not engine.models and time.monotonic() - start < 10:
        time.sleep(0.05)
    engine.watcher.close()
    assert engine.models  # the limit is the promise


def test_weights_of_a_version_are_loaded_and_tried(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load_model(load(device="cpu"), files["a"][0])
    assert model.version == files["a"][1]


def test_pages_keep_their_model_as_long_as_they_have_pending_masks_and_no_longer():
    now, pending = [0.0], set()
    pages = PageModels(pending.__contains__, lambda: now[0])
    old, new = Model(None, "old", "cpu"), Model(None, "new", "cpu")
    assert pages.choose(1, old) is old
    assert pages.choose(2, old) is old
    pending.update({1, 2})
    assert pages.choose(3, old) is old  # it is left without a mask
    assert pages.choose(1, new) is old
    now[0] = 24 * 3600
    assert pages.choose(2, new) is old
    assert pages.choose(1, new) is old
    pending.clear()  # accepted, dropped, or the pages forgotten
    now[0] += ANSWERING_SECONDS
    assert pages.choose(1, new) is new
    assert pages.versions == {"new"}


def test_a_page_that_nobody_came_back_to_for_a_day_frees_its_model():
    now = [0.0]
    pages = PageModels(lambda page: True, lambda: now[0])
    old, new = Model(None, "old", "cpu"), Model(None, "new", "cpu")
    pages.choose(1, old)  # accepted and submitted, which makes no call: pending for good
    now[0] = 24 * 3600 + 1.0
    pages.choose(2, new)
    assert pages.versions == {"new"}
    assert pages.choose(1, new) is new


def test_a_page_whose_first_masks_are_being_made_keeps_the_model_that_makes_them():
    pending = set()
    pages = PageModels(pending.__contains__, lambda: 0.0)
    old, new = Model(None, "old", "cpu"), Model(None, "new", "cpu")
    pages.choose(1, old)
    pages.choose(2, new)
    pending.add(1)
    assert pages.choose(1, new) is old


def test_no_more_pages_are_remembered_than_there_are(monkeypatch):
    monkeypatch.setattr("backend.serving.page_models.MAX_PAGES", 3)
    pages = PageModels(lambda page: True, lambda: 0.0)
    models = [Model(None, str(number), "cpu") for number in range(5)]
    for number, model in enumerate(models):
        pages.choose(number, model)
    assert pages.versions == {"2", "3", "4"}


def test_weights_that_may_not_be_read_do_not_keep_a_server_from_starting(
    registry, files, tmp_path, monkeypatch
):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    promote(registry, files["a"][1])
    monkeypatch.setattr("dynamite.registry.version.digest", refuse)
    engine = Engine(registry)
    monkeypatch.setattr(
        "backend.serving.loading.load_model", lambda _, weights=None: engine.load(weights)
    )
    model, entry = load_current(load(), registry)
    assert model.version == "shipped"
    watcher = ModelWatcher(
        registry,
        load=engine.load,
        swap=engine.models.append,
        alarm=engine.alarms.append,
        serving=entry.version,
        number=entry.number,
    )
    assert not watcher.check()
    assert "Permission denied" in engine.alarms[0]
