import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from dynamite.checkpoints import checkpoint
from dynamite.errors import CheckpointError
from tests.training.tiny_run import losses, tiny_config, write_config, write_data
from training.config import ConfigError
from training.config_files import from_dict
from training.loop import checkpointing
from training.loop.learner import TrainingDivergedError
from training.loop.run import run
from training.train import train as command

pytestmark = pytest.mark.slow

ONE_STEP = [{"steps": 1, "batch": 2, "crop": 64, "learning_rate": 1e-3}]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def train(root: Path, out: Path, *, resume: bool = False, **changes: Any) -> Path:
    run(from_dict(tiny_config(**changes)), out, data=root, resume=resume, device="cpu")
    return out


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(out / "model.safetensors").state_dict


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return train(data, tmp_path_factory.mktemp("whole") / "run")


def test_a_run_leaves_weights_that_say_what_they_are(whole: Path) -> None:
    metadata = checkpoint.read(whole / "model.safetensors").metadata
    assert metadata["training_data"] == {"shapes": 6}
    assert metadata["training"]["steps"] == 6
    assert len(losses(whole)) == 6
    assert all(math.isfinite(loss) for loss in losses(whole))


def test_only_the_last_two_checkpoints_stay(whole: Path) -> None:
    names = sorted(path.name for path in (whole / "checkpoints").iterdir())
    assert names == ["step_00000004.pt", "step_00000006.pt"]


def test_the_same_seed_gives_the_same_curve_with_loader_processes_too(
    whole: Path, data: Path, tmp_path: Path
) -> None:
    section = tiny_config()["data"] | {"workers": 1}
    again = train(data, tmp_path / "run", data=section)
    assert losses(again) == losses(whole)
    other = train(data, tmp_path / "other", seed=8, stages=ONE_STEP)
    assert losses(other)[0] != losses(whole)[0]


def test_the_command_exports_the_last_checkpoint(whole: Path, data: Path, tmp_path: Path) -> None:
    config, target = write_config(tmp_path / "tiny.yaml"), tmp_path / "out.safetensors"
    arguments = [config, "--data", data, "--out", whole, "--export", target]
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert "after 6 steps" in result.output
    assert same(checkpoint.read(target).state_dict, weights(whole))
    arguments[4] = tmp_path
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 1
    assert "no checkpoint yet" in result.output


def test_a_finished_run_is_not_overwritten(whole: Path, data: Path) -> None:
    with pytest.raises(ConfigError, match="--resume"):
        train(data, whole)


def test_a_run_out_of_time_stops_and_goes_on_to_the_same_end(
    whole: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    log = {"every_steps": 4, "checkpoint_steps": 100}
    for step in (1, 2, 3):
        train(data, out, resume=True, max_seconds=1e-6, log=log)
        latest = checkpointing.load_latest(out / "checkpoints", torch.device("cpu"))
        assert latest is not None
        assert latest.step == step
    train(data, out, resume=True)
    assert same(weights(out), weights(whole))


def test_a_broken_checkpoint_falls_back_on_the_one_before(
    whole: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "run"))
    (out / "checkpoints" / "step_00000006.pt").write_bytes(b"")
    capsys.readouterr()
    train(data, out, resume=True)
    assert re.search(r"cannot read the checkpoint .*6\.pt: EOFError", capsys.readouterr().out)
    assert same(weights(out), weights(whole))
    for path in (out / "checkpoints").iterdir():
        path.write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="step_00000006"):
        train(data, out, resume=True)


def test_another_network_cannot_be_resumed(whole: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(whole / "checkpoints")
    model = tiny_config()["model"]
    model["overrides"] = model["overrides"] | {"encoder_layers": 3}
    with pytest.raises(CheckpointError, match="does not fit this config"):
        train(data, tmp_path / "run", resume=True, model=model)


def test_a_diverged_run_names_step_and_samples_and_keeps_the_last_checkpoint(
    data: Path, tmp_path: Path
) -> None:
    stages = [{"steps": 9, "batch": 2, "crop": 32, "learning_rate": 1e20}]
    with pytest.raises(TrainingDivergedError, match=r"step \d+: the .* is .*shapes/images/\d\.png"):
        train(
            data,
            tmp_path / "run",
            stages=stages,
            log={"every_steps": 1, "checkpoint_steps": 1},
            optimizer={"clip_norm": 0},
        )
    latest = checkpointing.load_latest(tmp_path / "run" / "checkpoints", torch.device("cpu"))
    assert latest is not None
    assert all(bool(value.isfinite().all()) for value in latest.model.values())


def test_an_average_that_begins_at_a_resume_knows_nothing_of_the_random_start(
    data: Path, tmp_path: Path
) -> None:
    optimizer = {"clip_norm": 1.0, "freeze_batch_norm": True}
    out = train(data, tmp_path / "run", stages=ONE_STEP, optimizer=optimizer)
    before = weights(out)
    train(data, out, resume=True, stages=ONE_STEP, optimizer=optimizer | {"ema_decay": 0.9})
    assert same(weights(out), before)


def test_validation_needs_images_kept_back(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"every_steps is 2, but data\.holdout 0 keeps no image"):
        train(data, tmp_path / "run", validation={"every_steps": 2})
    assert not (tmp_path / "run").exists()


def test_what_is_left_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_data(tmp_path / "data")
    path = root / "shapes" / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = "zlib"
    path.write_text(json.dumps(content))
    section = tiny_config()["data"] | {"on_problem": "skip"}
    train(root, tmp_path / "run", data=section, stages=ONE_STEP)
    assert "left out of shapes: 1 problems (1 × unknown encoding)" in capsys.readouterr().out


def test_validation_keeps_the_best_and_pictures_are_drawn(data: Path, tmp_path: Path) -> None:
    section = tiny_config()["data"] | {"holdout": 0.5}
    out = train(
        data,
        tmp_path / "run",
        data=section,
        stages=[{"steps": 2, "batch": 2, "crop": 64, "learning_rate": 1e-3}],
        validation={"every_steps": 1, "images": 1},
        log={"every_steps": 1, "checkpoint_steps": 9, "pictures_steps": 2},
    )
    best = checkpoint.read(out / "best.safetensors").metadata
    assert set(best["metrics"]) == {"validation_nci", "validation_iou", "validation_failed"}
    assert (out / "pictures" / "step_00000002.png").stat().st_size > 1000
