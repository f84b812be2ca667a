from pathlib import Path
from typing import Any

import pytest

from dynamite.network.config import preset
from dynamite.network.model import DynaMITE
from tests.training.tiny_run import tiny_config, write_config
from training.config import ConfigError
from training.config_files import from_dict, load_config
from training.loop.optimization import freeze
from training.loop.sources import augment_config

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))


def test_unknown_keys_are_named_wherever_they_are() -> None:
    values = tiny_config(optimizer={"weigth_decay": 0.1}, epochs=3)
    with pytest.raises(ConfigError, match=r"optimizer.weigth_decay: unknown key") as error:
        from_dict(values)
    assert "epochs: unknown key" in str(error.value)


def test_values_of_the_wrong_kind_are_shown() -> None:
    with pytest.raises(ConfigError, match=r"loss.points: .*, not 'many'"):
        from_dict(tiny_config(loss={"points": "many"}))


def test_unknown_augmentation_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data.augment.color.huge: unknown key"):
        augment_config({"color": {"huge": 1}}, 64)


def test_a_crop_has_its_size_from_the_stage_and_pasted_objects_theirs() -> None:
    config = augment_config({"paste": {"size": [0.03, 0.2]}}, 64)
    assert (config.size, config.paste.size) == (64, (0.03, 0.2))
    with pytest.raises(ConfigError, match=r"data\.augment\.size: the stages give the size"):
        augment_config({"size": 96}, 64)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": [2, 0.5]}, r"scale: .*0 < low ≤ high, not 2 and 0\.5"),
        ({"scale": [0, 0]}, r"scale: .*not 0 and 0"),
        ({"flip_probability": 7}, "flip_probability: .*less than or equal to 1, not 7"),
        ({"paste": {"max_objects": 0}}, r"paste\.max_objects: .*not 0"),
        ({"color": {"hue": -1}}, r"color\.hue: .*not -1"),
    ],
)
def test_augmentation_that_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        augment_config(values, 64)


def test_a_base_is_merged_key_by_key(tmp_path: Path) -> None:
    write_config(tmp_path / "base.yaml")
    (tmp_path / "deep").mkdir()
    child = tmp_path / "deep" / "child.yaml"
    child.write_text("base: ../base.yaml\nname: child\noptimizer: {ema_decay: 0.5}\n")
    config = load_config(child)
    assert (config.name, config.seed) == ("child", 7)
    assert (config.optimizer.ema_decay, config.optimizer.clip_norm) == (0.5, 1.0)


def test_a_config_cannot_be_its_own_base(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text("base: loop.yaml\n")
    with pytest.raises(ConfigError, match="its own base"):
        load_config(path)


def test_a_base_is_the_name_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: 5\n")
    with pytest.raises(ConfigError, match="base is 5, not the name of a file"):
        load_config(path)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("name: grün".encode("latin1"))
    with pytest.raises(ConfigError, match=r"a\.yaml is not text in UTF-8"):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


def test_other_steps_keep_the_shares_of_stages_and_milestones() -> None:
    config = from_dict(tiny_config(schedule={"kind": "step", "milestones": [4, 5]}))
    longer = config.with_steps(600)
    assert [stage.steps for stage in longer.stages] == [300, 300]
    assert longer.schedule.milestones == (400, 500)
    with pytest.raises(ConfigError, match="too few"):
        config.with_steps(1)


def test_stages_follow_each_other() -> None:
    config = from_dict(tiny_config())
    assert config.stage_at(2) == (config.stages[0], 0, 0)
    assert config.stage_at(3) == (config.stages[1], 3, 6)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_names_a_network_and_an_augmentation_that_exist(path: Path) -> None:
    config = load_config(path)
    preset(config.model.preset).with_overrides(config.model.overrides)
    for stage in config.stages:
        augment_config(config.data.augment, stage.crop)
    assert all(milestone < config.total_steps for milestone in config.schedule.milestones)


def test_the_recipes_of_lite_follow_one_another() -> None:
    names = ("lite", "lite-refiner", "lite-continued", "lite-without-decoder", "lite-one-by-one")
    recipes = [load_config(CONFIGS[0].with_name(f"{name}.yaml")) for name in names]
    channels = preset("lite").refiner_channels
    assert recipes[0].model.overrides == {"refiner_channels": 0, "decoder_layers": 2}
    for config, before, layers in zip(recipes[1:], recipes, (2, 2, 0, 0), strict=False):
        assert config.model.checkpoint == f"runs/{before.name}/model.safetensors"
        assert config.model.overrides == {"refiner_channels": channels, "decoder_layers": layers}
        assert config.loss.margins
    last = recipes[-1]
    assert preset("lite").with_overrides(last.model.overrides) == preset("lite")


def test_the_refiner_is_trained_alone() -> None:
    alone = load_config(CONFIGS[0].with_name("lite-refiner.yaml"))
    model = DynaMITE(preset("lite").with_overrides(alone.model.overrides))
    freeze(model, alone.optimizer)
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"refiner"}
