"""A published file becomes a file of ours, for the network inferred from its weights."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import dynamite
from backend.cli import main
from dynamite.checkpoints import checkpoint
from dynamite.checkpoints.checkpoint import Checkpoint
from dynamite.checkpoints.conversion import convert, fitting_weights
from dynamite.checkpoints.published import convert_state_dict, published_name
from dynamite.checkpoints.published_config import infer_config
from dynamite.errors import CheckpointError
from dynamite.network.model import DynaMITE
from tests.dynamite.golden import (
    CONFIG_NAMES,
    OVERRIDES,
    golden_entries,
    golden_preset,
    golden_state_dict,
)


@pytest.mark.parametrize("config_name", CONFIG_NAMES)
def test_weights_tell_their_network(config_name: str) -> None:
    published = {
        key: torch.empty(shape, device="meta") for key, shape, _, _ in golden_entries(config_name)
    }
    overrides = OVERRIDES.get(config_name, {})
    encoding = overrides.get("click_encoding")
    if encoding in ("temporal", "spatial"):
        with pytest.raises(CheckpointError, match="either position or time of clicks"):
            infer_config(published)
        config = infer_config(published, click_encoding=encoding)
    else:
        config = infer_config(published)
    assert config == dynamite.network.config.preset(golden_preset(config_name)).with_overrides(
        overrides
    )


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"model": {"fc.weight": torch.ones(2)}}, path)
    with pytest.raises(
        CheckpointError, match=r"other\.pth: .* to no published network.*fc\.weight"
    ):
        convert(path, tmp_path / "x.safetensors")


TELLING = {
    "swin_tiny": "backbone.patch_embed.proj.weight",
    "resnet50": "backbone.stem.conv1.weight",
    "segformer_b0": "backbone.patch_embed1.proj.weight",
}


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("shape", [None, (95, 3, 4, 4), ()])
def test_the_entry_that_tells_the_preset_is_listed_as_any_other(
    name: str, shape: tuple[int, ...] | None
) -> None:
    published = {
        key: torch.empty(shape, device="meta") for key, shape, _, _ in golden_entries(name)
    }
    if shape is None:
        del published[TELLING[name]]
    else:
        published[TELLING[name]] = torch.empty(shape, device="meta")
    with torch.device("meta"):
        model = DynaMITE(infer_config(published, name))
    source = Checkpoint(Path("w.pth"), "published", published, None, None, {})
    with pytest.raises(CheckpointError) as error:
        fitting_weights(source, model)
    kind = "missing" if shape is None else "misshaped"
    assert str(error.value).startswith("w.pth: ")
    assert f"1 {kind}:\n  {TELLING[name]}" in str(error.value)


@pytest.mark.parametrize("entry", ["static_bg_query", "ca_qpos_sine_proj.weight"])
def test_a_scalar_that_should_tell_an_ablation_is_listed_as_misshaped(entry: str) -> None:
    published = {
        key: torch.empty(shape, device="meta") for key, shape, _, _ in golden_entries("resnet50")
    }
    name = f"sem_seg_head.interactive_transformer.{entry}"
    published[name] = torch.empty((), device="meta")
    with torch.device("meta"):
        model = DynaMITE(infer_config(published))
    with pytest.raises(CheckpointError, match=rf"1 misshaped:\n  {name} is scalar"):
        convert_state_dict(published, model)


@pytest.mark.slow
def test_the_command_converts(tmp_path: Path) -> None:
    path, out = tmp_path / "segformer_b0.pth", tmp_path / "segformer_b0.safetensors"
    published = golden_state_dict("segformer_b0")
    torch.save({"model": published, "iteration": 184375}, path)

    result = CliRunner().invoke(main, ["convert", str(path), str(out)])
    assert result.exit_code == 0, result.output
    found = checkpoint.read(out)
    assert found.version is not None
    assert found.version in result.output
    assert found.config == dynamite.network.config.preset("segformer_b0")
    assert found.metadata["converted_from"] == "segformer_b0.pth"
    assert found.metadata["licence"].startswith("MIT")

    model = dynamite.load("segformer_b0", out)
    assert model.version == found.version
    direct = dynamite.load("segformer_b0", path)
    assert direct.version == model.version
    weights = model.state_dict()
    for name, value in direct.state_dict().items():
        assert torch.equal(value, published[published_name(name, "segformer_b0")])
        assert torch.equal(value, weights[name])

    result = CliRunner().invoke(main, ["convert", str(out), str(path)])
    assert result.exit_code == 1
    assert "in our own format already" in result.output
    result = CliRunner().invoke(main, ["convert", str(path), "."])
    assert result.exit_code == 1
    assert "Error: could not write .: " in result.output
    result = CliRunner().invoke(main, ["convert", str(path), str(out), "--preset", "hrnet32"])
    assert result.exit_code == 1
    assert "holds weights of 'segformer_b0', but the network is 'hrnet32'" in result.output
    assert checkpoint.read(out).version == found.version
