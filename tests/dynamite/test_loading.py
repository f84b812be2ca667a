from pathlib import Path

import pytest
import torch

import dynamite
from dynamite import CheckpointError, InvalidInputError, checkpoint
from dynamite.model import DynaMITE
from tests.dynamite.golden import golden_state_dict

SMALL = {"hidden": 32, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}


def test_lite_ships_with_its_weights() -> None:
    model = dynamite.load("lite")
    assert not model.training
    assert model.version.startswith("lite-")
    assert "random" not in model.version


def test_a_preset_without_weights_says_what_to_do() -> None:
    with pytest.raises(CheckpointError, match=r"swin_tiny.*random_weights=True"):
        dynamite.load("swin_tiny")


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = dynamite.load("lite", random_weights=True, **SMALL)
    assert torch.equal(torch.rand(3), expected)
    assert dynamite.load("lite", random_weights=True, **SMALL).version == first.version


def test_a_saved_network_comes_back_with_its_config(tmp_path: Path) -> None:
    model = dynamite.load("lite", random_weights=True, **SMALL)
    version = checkpoint.save(model, tmp_path / "small.safetensors", {})
    back = dynamite.load("lite", tmp_path / "small.safetensors", dtype=torch.bfloat16)
    assert back.version == version
    assert back.config == model.config
    assert back.mask_decoder.product_dtype == torch.bfloat16


def test_a_checkpoint_of_another_preset_is_refused(tmp_path: Path) -> None:
    model = dynamite.load("lite", random_weights=True, **SMALL)
    checkpoint.save(model, tmp_path / "small.safetensors", {})
    with pytest.raises(CheckpointError, match=r"'lite'.*'swin_tiny'"):
        dynamite.load("swin_tiny", tmp_path / "small.safetensors")


def test_overrides_that_the_weights_do_not_fit_list_what_is_missing(tmp_path: Path) -> None:
    model = dynamite.load("lite", random_weights=True, **SMALL)
    checkpoint.save(model, tmp_path / "small.safetensors", {})
    with pytest.raises(CheckpointError, match=r"missing:\n  instance_encoder\.layers\.1\."):
        dynamite.load("lite", tmp_path / "small.safetensors", encoder_layers=2)


def test_weights_and_randomness_exclude_each_other() -> None:
    with pytest.raises(CheckpointError, match="choose one"):
        dynamite.load("lite", "somewhere.safetensors", random_weights=True)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="swin_giant"):
        dynamite.load("swin_giant", random_weights=True)
    with pytest.raises(InvalidInputError, match="layers"):
        dynamite.load("lite", random_weights=True, layers=3)


@pytest.mark.slow
def test_a_published_checkpoint_loads_by_preset_name(tmp_path: Path) -> None:
    published = golden_state_dict("swin_tiny")
    torch.save({"model": published}, tmp_path / "published.pth")
    model: DynaMITE = dynamite.load("swin_tiny", tmp_path / "published.pth")
    embed = published["sem_seg_head.interactive_transformer.query_embed"]
    assert torch.equal(model.bootstrapper.query_embed, embed)
    torch.save({"model": dict(list(published.items())[:-1])}, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match="1 missing"):
        dynamite.load("swin_tiny", tmp_path / "short.pth")
