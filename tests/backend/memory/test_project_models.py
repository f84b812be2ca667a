"""Models with memory in a serving process."""

import logging

import numpy as np
import pytest
import torch

import dynamite
from backend.memory.adapting import with_memory
from backend.memory.project_models import ProjectModels
from backend.serving.engine import Model
from dynamite.adaptation import Adaptation, adaptable, copy_adaptable
from dynamite.errors import CheckpointError
from tests.dynamite.conftest import TINY
from tests.fakes import DiscPredictor
from training.memory.kept import KeptMemories, Record

PROJECT = ("label_studio", 3)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def kept(tmp_path):
    return KeptMemories(tmp_path / "memory")


def write(
    kept,
    number=3,
    digest="0000000a",
    version="v1",
    save=lambda path: path.touch(),
    *,
    is_on=True,
    without=(),
):
    record = Record(
        source="label_studio",
        project=number,
        change=1,
        weights=version,
        model_version=version,
        images=2,
        made=f"2026-01-01T00:00:{number:02d}+00:00",
        words="on: it helps",
        is_on=is_on,
        digest=digest,
        without=without,
    )
    kept.write(record, save if digest else None)
    return record


class Served:
    """A serving process's current model, and the memories that were loaded for it."""

    def __init__(self):
        self.model = Model(DiscPredictor(), "v1", "cpu")
        self.loads = []

    def load(self, model, digest, path):
        if not path.exists():
            raise CheckpointError(f"{path} is missing")
        self.loads.append(digest)
        return Model(DiscPredictor(), model.version, model.device, digest)


@pytest.fixture
def served():
    return Served()


@pytest.fixture
def models(kept, served):
    return ProjectModels(kept, lambda: served.model, served.load)


def chosen(models, served, project=3):
    return models.choose("label_studio", project, served.model).memory


def test_a_memory_is_loaded_before_the_first_click(models, kept, served):
    write(kept)
    models.check()
    assert chosen(models, served) == "0000000a"
    assert chosen(models, served, 4) == ""
    assert models.choose("cvat", 3, served.model) is served.model
    assert models.choose("label_studio", None, served.model) is served.model


def test_a_click_loads_nothing(models, kept, served):
    write(kept)
    assert chosen(models, served) == ""
    assert served.loads == []


def test_a_memory_is_loaded_once_and_replaced_by_a_newer_one(models, kept, served):
    write(kept)
    models.check()
    models.check()
    write(kept, digest="0000000b")
    models.check()
    assert served.loads == ["0000000a", "0000000b"]
    assert chosen(models, served) == "0000000b"


def test_a_memory_that_is_off_or_gone_is_dropped(models, kept, served):
    write(kept)
    write(kept, 4, "0000000b")
    models.check()
    write(kept, is_on=False)  # it keeps its weights, to go on learning
    kept.forget(("label_studio", 4))
    models.check()
    assert models.loaded == {}
    assert chosen(models, served) == ""


def test_labels_that_it_harms_are_answered_without_it(models, kept, served):
    write(kept, without=("door",))
    models.check()
    model = models.choose(*PROJECT, served.model)
    assert model.for_labels(["window"]) is model
    assert model.for_labels(["window", "door"]) is served.model
    assert served.model.for_labels(["door"]) is served.model
    write(kept, without=("roof",))
    models.check()
    model = models.choose(*PROJECT, served.model)
    assert model.for_labels(["door"]) is model
    assert model.for_labels(["roof"]) is served.model
    assert served.loads == ["0000000a"]


def test_other_weights_do_not_get_it_not_even_between_two_checks(models, kept, served):
    write(kept)
    models.check()
    served.model = Model(DiscPredictor(), "v2", "cpu")
    assert models.choose(*PROJECT, served.model) is served.model
    models.check()
    assert models.loaded == {}


def test_few_are_loaded_those_clicked_in_first(models, kept, served):
    for number in range(1, 13):
        write(kept, number, f"{number:08x}")
    models.check()
    assert {number for _, number in models.loaded} == set(range(5, 13))
    chosen(models, served, 2)
    models.check()
    assert {number for _, number in models.loaded} == {2, *range(6, 13)}


def test_one_that_cannot_be_loaded_is_said_once_and_costs_no_other(models, kept, served, caplog):
    write(kept, 3)
    write(kept, 4, "0000000b", save=lambda _: None)
    with caplog.at_level(logging.WARNING):
        models.check()
        models.check()
    assert models.loaded == {PROJECT: "0000000a"}
    assert caplog.text.count("label_studio:4 is not used") == 1


def real():
    network = dynamite.load("lite", random_weights=True, **TINY)
    learner = copy_adaptable(network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _, weight in adaptable(learner):
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model = Model(dynamite.Predictor(network), network.version, "cpu")
    return model, Adaptation.of(learner)


IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
CLICKS = dynamite.ClickSet([[dynamite.Click(20, 20)]])


def test_a_real_memory_answers_on_features_of_the_model_itself(tmp_path):
    model, adaptation = real()
    adaptation.save(tmp_path / "m.safetensors")
    found = with_memory(model, adaptation.digest, tmp_path / "m.safetensors")
    assert found.name == f"{model.version}+m{adaptation.digest}"
    assert found.version == model.version
    features = model.predictor.encode(IMAGE)
    answers = [one.predictor.segment(features, CLICKS).scores for one in (model, found)]
    assert not np.array_equal(*answers)


def test_a_damaged_memory_is_refused(tmp_path):
    model, adaptation = real()
    path = tmp_path / "m.safetensors"
    adaptation.save(path)
    with pytest.raises(CheckpointError, match="is damaged"):
        with_memory(model, "0000000f", path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="no adaptation"):
        with_memory(model, adaptation.digest, path)


def test_a_memory_that_fails_costs_no_click(tmp_path, monkeypatch, caplog):
    model, adaptation = real()
    adaptation.save(tmp_path / "m.safetensors")
    found = with_memory(model, adaptation.digest, tmp_path / "m.safetensors")
    features = model.predictor.encode(IMAGE)

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(found.predictor._adapted, "segment", fail)
    answer = found.predictor.segment(features, CLICKS)
    assert np.array_equal(answer.label_map, model.predictor.segment(features, CLICKS).label_map)
    assert "a memory cannot answer" in caplog.text
