"""Measure the paper's networks on a GPU, and check that it computes what a CPU computes.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --device cpu --preset segformer_b0 --side 64 --steps 1

It prints one table: speed and memory of a network with random weights, the largest difference to
the CPU, the fast tests of the model on the device, and training steps with AMP, started by
torchrun. It takes a few minutes. The second line tries the script itself where there is no GPU.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml

import dynamite
from benchmarks.bench_lite import photo, scattered
from benchmarks.table import Row, render
from benchmarks.timing import medians
from dynamite.devices import usable_device
from dynamite.network.config import PRESETS

ROOT = Path(__file__).parents[1]
DATA = ROOT / "training"
"""Holds ``base_set``, the images of the repository."""

TESTS = ("tests/dynamite/predict", "tests/dynamite/network/test_enforce_clicks.py")

OBJECTS = 10


def main() -> None:
    options = parse()
    usable_device(options.device)  # says what is wrong before the minutes of work
    rows: list[Row] = []
    for work in (speed, likeness, model_tests, training):
        print(f"{work.__name__.replace('_', ' ')} …", file=sys.stderr, flush=True)
        rows += work(options)
    print(f"{device_name(options.device)}, torch {torch.__version__}\n")
    print(render(rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", help="a torch device [cuda]")
    parser.add_argument("--preset", default="swin_tiny", choices=PRESETS, help="[swin_tiny]")
    parser.add_argument("--side", type=int, default=1024, help="of images and crops [1024]")
    parser.add_argument("--batch", type=int, default=2, help="images of a training step [2]")
    parser.add_argument("--steps", type=int, default=20, help="training steps [20]")
    return parser.parse_args()


def speed(options: argparse.Namespace) -> list[Row]:
    """Measure an encode and clicks on ten objects, and the memory.

    Features are float32; bf16 means the mask decoder's products, as ``dynamite.load`` offers it.
    """
    image = photo(options.side, options.side)
    clicks = scattered(OBJECTS, image.shape[:2])
    forget_peak(options.device)
    full, half = (
        dynamite.Predictor(
            dynamite.load(options.preset, random_weights=True, device=options.device, dtype=dtype),
            resize=None,
        )
        for dtype in (torch.float32, torch.bfloat16)
    )
    features = full.encode(image)
    work: dict[str, Callable[[], Any]] = {
        "encode": lambda: full.encode(image),
        f"click, {OBJECTS} objects, float32": lambda: full.segment(features, clicks),
        f"click, {OBJECTS} objects, bf16": lambda: half.segment(features, clicks),
    }
    work = {name: partial(finished, options.device, run) for name, run in work.items()}
    taken = medians(work, repeats=9)
    targets = {"encode": "≤ 25", f"click, {OBJECTS} objects, bf16": "≤ 5"}
    title = f"{options.preset} {options.side}²"
    rows = [
        Row(f"{title}, {name}", seconds * 1000, "ms", targets.get(name, ""))
        for name, seconds in taken.items()
    ]
    return [*rows, *peak_row(options.device, f"{title}, both networks")]


def finished(device: str, work: Callable[[], Any]) -> None:
    """Do the work, and wait until the device has finished it."""
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def likeness(options: argparse.Namespace) -> list[Row]:
    """Compare the masks of the device with those of the CPU: `lite`, and the preset."""
    rows = []
    for name, random_weights, side in (("lite", False, 480), (options.preset, True, options.side)):
        image = photo(side, side)
        clicks = scattered(OBJECTS, image.shape[:2])
        maps = []
        for device in ("cpu", options.device):
            model = dynamite.load(name, random_weights=random_weights, device=device)
            predictor = dynamite.Predictor(model, resize=None)
            maps.append(predictor.segment(predictor.encode(image), clicks).label_map)
        unlike = float(np.mean(maps[0] != maps[1]))
        rows.append(Row(f"{name}, pixels unlike the CPU's", unlike, "", "≤ 1e-3"))
    return rows


def model_tests(options: argparse.Namespace) -> list[Row]:
    """Run the fast tests of the model on the device."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    done = subprocess.run(
        [*command, *TESTS, "--device", options.device],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-1000:], file=sys.stderr)
    told = done.stdout.strip().rpartition("\n")[2]
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", told)}
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
    note = "" if "passed" in counts else "no test ran"
    return [
        Row("model tests passed", counts.get("passed", 0), "", "≥ 1", note),
        Row("model tests failed", failed, "", "≤ 0"),
    ]


def training(options: argparse.Namespace) -> list[Row]:
    """Train with AMP for a few steps, in a process started by torchrun."""
    with TemporaryDirectory() as folder:
        path, out = Path(folder) / "gpu.yaml", Path(folder) / "run"
        path.write_text(yaml.safe_dump(config(options), sort_keys=False))
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command = ["-m", "training.train", str(path), "--data", str(DATA), "--out", str(out)]
        done = subprocess.run(
            [*launcher, "--nproc-per-node=1", *command, "--device", options.device],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
            return [Row("training", float("nan"), "", note=f"failed with {done.returncode}")]
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    # The first steps choose algorithms and warm up, so half of the run is left out.
    middle, last = lines[len(lines) // 2 - 1], lines[-1]
    steps = max(1, last["step"] - middle["step"])
    seconds = last["seconds"] - middle["seconds"] if last is not middle else last["seconds"]
    title = f"training, {options.batch} crops of {options.side}², AMP"
    return [
        Row(f"{title}, a step", 1000 * seconds / steps, "ms", note=f"{steps} steps"),
        Row(f"{title}, loss", last["loss"], ""),
    ]


def config(options: argparse.Namespace) -> dict[str, Any]:
    """Return the config of a short training of the preset, as YAML has it."""
    stage = {"steps": options.steps, "batch": options.batch, "crop": options.side}
    return {
        "name": "gpu",
        "model": {"preset": options.preset},
        "data": {"sets": [{"name": "base_set"}], "workers": 0},
        "stages": [stage | {"learning_rate": 1e-4}],
        "compute": {"amp": "always"},
        "log": {"every_steps": 1, "checkpoint_steps": options.steps},
    }


def device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_row(device: str, title: str) -> list[Row]:
    if not device.startswith("cuda"):
        return []
    return [Row(f"{title}, peak memory", torch.cuda.max_memory_allocated(device) / 1e6, "MB")]


if __name__ == "__main__":
    main()
