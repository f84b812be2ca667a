"""A project's own weights: what they share with the network, and what refuses them."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

import dynamite
from dynamite import Click, ClickSet, Predictor
from dynamite.adaptation import Adaptation, adaptable, copy_adaptable
from dynamite.errors import CheckpointError, InvalidInputError
from dynamite.network.model import DynaMITE
from tests.dynamite.conftest import TINY

IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
CLICKS = ClickSet([[Click(20, 20)], [Click(40, 30)]], [Click(2, 2)])


@pytest.fixture
def model() -> DynaMITE:
    return dynamite.load("lite", random_weights=True, **TINY)


def changed(model: DynaMITE, seed: int = 0) -> Adaptation:
    """Return an adaptation that differs from the network everywhere."""
    generator = torch.Generator().manual_seed(seed)
    learner = copy_adaptable(model)
    with torch.no_grad():
        for _, weight in adaptable(learner):
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return Adaptation.of(learner)


def test_no_cached_feature_depends_on_what_is_adapted(model: DynaMITE) -> None:
    adapted = changed(model).apply(model)
    before, after = Predictor(model).encode(IMAGE), Predictor(adapted).encode(IMAGE)
    for one, other in (
        (before.maps.mask_features, after.maps.mask_features),
        (before.maps.detail, after.maps.detail),
        *zip(before.maps.levels, after.maps.levels, strict=True),
        *zip(before.maps.pooled, after.maps.pooled, strict=True),
        *zip(chain(*before.maps.memory), chain(*after.maps.memory), strict=True),
    ):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


def test_features_of_the_network_serve_the_adapted_one(model: DynaMITE) -> None:
    features = Predictor(model).encode(IMAGE)
    adapted = Predictor(changed(model).apply(model))
    own = adapted.segment(adapted.encode(IMAGE), CLICKS)
    shared = adapted.segment(features, CLICKS)
    assert np.array_equal(own.label_map, shared.label_map)
    assert np.array_equal(own.scores, shared.scores)
    assert not np.array_equal(own.scores, Predictor(model).segment(features, CLICKS).scores)


def test_a_copy_shares_all_but_the_refiner(model: DynaMITE) -> None:
    copied = copy_adaptable(model)
    for name, part in model.named_children():
        assert (getattr(copied, name) is part) is (name != "refiner")
    own = {id(weight) for weight in model.parameters()}
    assert not own & {id(weight) for _, weight in adaptable(copied)}


def test_a_network_without_a_refiner_has_nothing_to_adapt() -> None:
    plain = dynamite.load("lite", random_weights=True, **(TINY | {"refiner_channels": 0}))
    assert list(adaptable(plain)) == []


def test_what_is_saved_is_read_again(model: DynaMITE, tmp_path: Path) -> None:
    before = changed(model)
    before.save(tmp_path / "a.safetensors")
    after = Adaptation.load(tmp_path / "a.safetensors")
    assert after.digest == before.digest
    assert after.model_version == model.version
    features = Predictor(model).encode(IMAGE)
    masks = [
        Predictor(one.apply(model)).segment(features, CLICKS).label_map for one in (before, after)
    ]
    assert np.array_equal(*masks)


def test_the_digest_names_the_weights(model: DynaMITE) -> None:
    assert changed(model, 1).digest == changed(model, 1).digest
    assert changed(model, 1).digest != changed(model, 2).digest


def test_another_version_refuses_it(model: DynaMITE) -> None:
    adaptation = changed(model)
    model.version = "lite-newer"
    with pytest.raises(InvalidInputError, match="learn it again"):
        adaptation.apply(model)


def test_a_network_of_another_shape_refuses_it(model: DynaMITE) -> None:
    other = dynamite.load("lite", random_weights=True, **(TINY | {"refiner_channels": 6}))
    other.version = model.version
    with pytest.raises(InvalidInputError, match="does not fit"):
        changed(model).apply(other)


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", None])
def test_a_damaged_file_is_an_error_of_its_own(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="holds no adaptation"):
        Adaptation.load(path)
