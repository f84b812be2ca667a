import pytest
import torch
from torch import nn

from dynamite.network.config import preset
from dynamite.network.model import DynaMITE
from tests.training.tiny_run import TINY_MODEL
from training.config import ConfigError, OptimizerConfig, ScheduleConfig
from training.loop.optimization import (
    MovingAverage,
    freeze,
    parameter_groups,
    rate_factor,
    train_mode,
)


@pytest.fixture
def model() -> DynaMITE:
    return DynaMITE(preset("lite").with_overrides(TINY_MODEL))


def groups_of(model: DynaMITE, config: OptimizerConfig) -> dict[str, tuple[float, float]]:
    places = {
        id(parameter): (group["factor"], group["weight_decay"])
        for group in parameter_groups(model, config)
        for parameter in group["params"]  # type: ignore[attr-defined]
    }
    return {name: places[id(p)] for name, p in model.named_parameters() if id(p) in places}


def test_norms_and_the_encoders_level_table_do_not_decay(model: DynaMITE) -> None:
    groups = groups_of(model, OptimizerConfig(weight_decay=0.05, backbone_factor=0.1))
    assert groups["backbone.body.blocks.3.0.bn1.weight"] == (0.1, 0)
    assert groups["backbone.body.blocks.3.0.conv_pw.weight"] == (0.1, 0.05)
    assert groups["pixel_decoder.layers.0.norm1.bias"] == (1, 0)
    assert groups["instance_encoder.level_embed"] == (1, 0)
    assert groups["pixel_decoder.level_embed"] == (1, 0.05)
    assert groups["bootstrapper.query_embed"] == (1, 0.05)
    assert groups["bootstrapper.static_bg_query"] == (1, 0.05)
    assert "bootstrapper.bg_query" not in groups  # never trained
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert sorted(groups) == sorted(trained)


def test_swins_relative_positions_do_not_decay() -> None:
    swin = DynaMITE(preset("swin_tiny").with_overrides(TINY_MODEL | {"hidden": 32}))
    tables = {k: v for k, v in groups_of(swin, OptimizerConfig()).items() if "bias_table" in k}
    assert len(tables) == 12
    assert set(tables.values()) == {(0.1, 0)}


def test_freezing_by_prefix_and_batch_norm(model: DynaMITE) -> None:
    config = OptimizerConfig(freeze=("backbone.body.conv_stem.",), freeze_batch_norm=True)
    freeze(model, config)
    train_mode(model, config)
    groups = groups_of(model, config)
    assert "backbone.body.conv_stem.weight" not in groups
    assert not any(".bn" in name for name in groups)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    assert model.training
    with pytest.raises(ConfigError, match="nonsense"):
        freeze(model, OptimizerConfig(freeze=("nonsense",)))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (ScheduleConfig(kind="constant"), [1, 1, 1, 1]),
        (ScheduleConfig(kind="step", milestones=(50, 75)), [1, 1, 0.1, 0.01]),
        (ScheduleConfig(kind="cosine"), [1, 0.853553, 0.5, 0.146447]),
        (ScheduleConfig(kind="cosine", final_factor=0.5), [1, 0.926777, 0.75, 0.573223]),
        (ScheduleConfig(kind="poly", power=2), [1, 0.5625, 0.25, 0.0625]),
        (ScheduleConfig(kind="trapezoid", decay_share=0.5), [1, 1, 1, 0.5]),
        (ScheduleConfig(kind="constant", warmup_steps=49), [0.02, 0.52, 1, 1]),
    ],
)
def test_schedules(schedule: ScheduleConfig, expected: list[float]) -> None:
    factors = [rate_factor(schedule, step, 100) for step in (0, 25, 50, 75)]
    assert factors == pytest.approx(expected, abs=1e-6)


def test_the_moving_average_follows(model: DynaMITE) -> None:
    average = MovingAverage(model, decay=0.9)
    name = "bootstrapper.query_embed"
    before = model.state_dict()[name].clone()
    with torch.no_grad():
        model.state_dict()[name].add_(1)
    average.update(model, step=1000)
    torch.testing.assert_close(average.model.state_dict()[name], before + 0.1)
    average.update(model, step=0)  # early on it moves faster: (1 + 0) / (10 + 0) is kept
    torch.testing.assert_close(average.model.state_dict()[name], before + 0.91)
