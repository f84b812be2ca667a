"""Training in separate processes: killed, several at once, and long enough to learn."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dynamite import Predictor, load
from dynamite.checkpoints import checkpoint
from dynamite.clicks import Click, ClickSet
from tests.training.tiny_run import TINY_MODEL, losses, write_config, write_data
from training.config_files import load_config
from training.data.catalog import open_dataset
from training.loop.run import run

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
SIZE = {"resize": {"shortest": 64, "longest": 64}}
"""As large as the images: enlarged twelve times, rounding would change many of their pixels."""
ALONE = [sys.executable, "-m", "training.train"]
TOGETHER = [
    *[sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"],
    *["-m", "training.train"],
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def start(launcher: list[str], config: Path, data: Path, out: Path) -> subprocess.Popen[str]:
    options = ["--data", str(data), "--out", str(out), "--device", "cpu", "--resume"]
    return subprocess.Popen(
        [*launcher, str(config), *options],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=250)
    assert process.returncode == 0, output


def test_a_run_killed_twice_comes_to_the_same_weights(data: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "tiny.yaml")
    finish(start(ALONE, config, data, tmp_path / "whole"))
    out = tmp_path / "killed"
    for steps in (1, 5):  # between checkpoints, which come after 2, 4 and 6 steps
        process = start(ALONE, config, data, out)
        while process.poll() is None and (
            not (out / "metrics.jsonl").exists() or len(losses_written(out)) < steps
        ):
            time.sleep(0.01)
        process.kill()
        process.communicate()
    finish(start(ALONE, config, data, out))
    assert losses(out) == losses(tmp_path / "whole")
    one, other = (
        checkpoint.read(folder / "model.safetensors").state_dict
        for folder in (tmp_path / "whole", out)
    )
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_killed_run_leaves_no_loader_process(data: Path, tmp_path: Path) -> None:
    config = write_config(
        tmp_path / "tiny.yaml",
        stages=[{"steps": 1000, "batch": 2, "crop": 64, "learning_rate": 1e-3}],
        data={"sets": [{"name": "shapes"}], "workers": 1},
    )
    process = start(ALONE, config, data, tmp_path / "run")
    metrics = tmp_path / "run" / "metrics.jsonl"
    # The file is there before the first batch has been asked for.
    while process.poll() is None and not (metrics.exists() and losses_written(metrics.parent)):
        time.sleep(0.05)
    helpers = children(process.pid)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert helpers
    deadline = time.monotonic() + 60
    while (left := [pid for pid in helpers if Path(f"/proc/{pid}").exists()]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.2)
    assert not left


def children(parent: int) -> list[int]:
    """Return all processes that this one has started, directly or indirectly."""
    threads = Path(f"/proc/{parent}/task").iterdir()
    own = [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]
    return [*own, *(pid for child in own for pid in children(child))]


def losses_written(out: Path) -> list[str]:
    return (out / "metrics.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("preset", "validation"),
    [
        # A logit's last digit may turn a pixel or two of what its refiner draws, each half a
        # percent of an object here. An image left out or counted twice would be a tenth and more.
        ("lite", 0.02),
        ("segformer_b0", 1e-3),  # skips blocks at random
    ],
)
def test_two_processes_give_the_losses_of_one(
    preset: str, validation: float, data: Path, tmp_path: Path
) -> None:
    config = write_config(
        tmp_path / "tiny.yaml",
        model={"preset": preset, "overrides": TINY_MODEL | SIZE},
        stages=[{"steps": 4, "batch": 4, "crop": 64, "learning_rate": 1e-3}],
        validation={"every_steps": 4, "images": 2},
        data={
            "sets": [{"name": "shapes"}],
            "holdout": 0.5,
            "augment": {"scale": [0.9, 1.2], "keep_fraction": 1.0, "min_area": 20},
        },
    )
    finish(start(ALONE, config, data, tmp_path / "one"))
    finish(start(TOGETHER, config, data, tmp_path / "two"))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    last = [json.loads(losses_written(tmp_path / name)[-1]) for name in ("one", "two")]
    assert last[0] == pytest.approx(last[1], rel=validation)
    assert last[0]["validation_failed"] == last[1]["validation_failed"]


def test_four_images_are_learnt_by_heart(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = write_data(tmp_path / "data", images=4)
    config = load_config(
        write_config(
            tmp_path / "tiny.yaml",
            stages=[{"steps": 250, "batch": 4, "crop": 64, "learning_rate": 2e-3}],
            loss={"points": 512},
            data={
                "sets": [{"name": "shapes"}],
                "augment": {"scale": [1.0, 1.0], "keep_fraction": 1.0, "min_area": 20},
            },
            optimizer={"clip_norm": 1.0, "backbone_factor": 1.0, "freeze_batch_norm": True},
            log={"every_steps": 50, "checkpoint_steps": 250},
            max_rounds=1,
        )
    )
    run(config, tmp_path / "run", data=data, device="cpu")
    # What the network has learnt: around a click obedience would give 12 pixels of these 64 to it.
    own_word = TINY_MODEL | {"obey_clicks": False}
    model = load("lite", checkpoint=tmp_path / "run" / "model.safetensors", **own_word)
    predictor = Predictor(model, resize=None)
    dataset = open_dataset("shapes", data)
    for sample in (dataset[index] for index in range(len(dataset))):
        masks = [sample.label_map == index for index in range(len(sample.labels))]
        centers = [(mask.nonzero()[1].mean(), mask.nonzero()[0].mean()) for mask in masks]
        clicks = ClickSet([[Click(x, y, t)] for t, (x, y) in enumerate(centers)])
        predicted = predictor.segment(predictor.encode(sample.image), clicks).masks
        for mask, answer in zip(masks, predicted, strict=True):
            assert (mask & answer).sum() / (mask | answer).sum() >= 0.9
