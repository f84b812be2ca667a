import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import dynamite
from dynamite import CheckpointError, InvalidInputError
from dynamite.checkpoints import checkpoint
from dynamite.network.model import DynaMITE
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


def test_a_file_of_ours_says_what_network_it_is(tmp_path: Path) -> None:
    model = dynamite.load("lite", random_weights=True, **SMALL)
    version = checkpoint.save(model, tmp_path / "small.safetensors", {})
    back = dynamite.load_file(tmp_path / "small.safetensors")
    assert (back.version, back.config, back.training) == (version, model.config, False)


def test_a_config_that_asks_for_terabytes_is_refused_without_them(tmp_path: Path) -> None:
    model = dynamite.load("lite", random_weights=True, **SMALL)
    path = tmp_path / "small.safetensors"
    checkpoint.save(model, path, {})
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
    for absurd in ({"hidden": 32_000}, {"encoder_feedforward": 32_768, "encoder_layers": 100}):
        config = json.loads(metadata["config"]) | absurd
        save_file(load_file(path), path, metadata | {"config": json.dumps(config)})
        with pytest.raises(CheckpointError, match="do not fit the network"):
            dynamite.load_file(path)


def test_a_published_file_does_not_say_what_network_it_is(tmp_path: Path) -> None:
    torch.save({"model": golden_state_dict("swin_tiny")}, tmp_path / "published.pth")
    with pytest.raises(CheckpointError, match=r"does not state its network.*dynamite convert"):
        dynamite.load_file(tmp_path / "published.pth")


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


@pytest.mark.parametrize("name", [[], None, 3])
def test_a_preset_is_a_name(name: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"no preset .*: choose one of swin_tiny"):
        dynamite.load(name)


@pytest.mark.parametrize("path", [3, b"", b"w.pth"])
def test_a_checkpoint_is_a_path(path: Any) -> None:
    with pytest.raises(CheckpointError, match=f"^{path!r} is not a path"):
        dynamite.load("lite", path)


@pytest.mark.parametrize("device", ["cuda:99", "foo", "meta", "cpu:x", -1, None])
def test_a_device_that_is_not_here_is_named(device: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"device={device!r} cannot be used here: "):
        dynamite.load("lite", device=device)


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, "bfloat16", None])
def test_a_dtype_that_decodes_no_masks_is_named(dtype: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"dtype={dtype!r} must be one of torch.float32"):
        dynamite.load("lite", dtype=dtype)


@pytest.mark.parametrize("random", [True, False])
def test_what_changes_features_but_no_weights_changes_the_version(random: bool) -> None:
    plain = dynamite.load("lite", random_weights=random).version
    same = dynamite.load("lite", random_weights=random, enforce_clicks=False, mean=[127.5] * 3)
    assert same.version == plain
    other = dynamite.load("lite", random_weights=random, mean=(0, 0, 0), std=(1, 1, 1))
    assert other.version == f"{plain} with mean=(0, 0, 0), std=(1, 1, 1)"


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
