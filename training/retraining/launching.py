"""Runs the training: one process, or one per GPU under torchrun, ended with the job."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynamite.errors import DynamiteError
from dynamite.json_text import read_json
from dynamite.lifeline import die_with_parent
from training.config import TrainingConfig

POLL_SECONDS = 1.0
RANK = "training.retraining.rank"
KILLED = re.compile(r"Signal \d+ \(SIG\w+\) received by PID")
"""How torchrun reports that one of its ranks was killed."""

RANK_ERROR = re.compile("^Error: ", re.MULTILINE)
"""Start of the line in which a rank reports an error of its own."""

StepReport = Callable[[int, float | None], None]
"""Called with the steps done, and the seconds left if known."""


class TrainingFailedError(DynamiteError):
    """The training failed. The message holds the end of its log."""


class TrainingKilledError(TrainingFailedError):
    """The training was killed, perhaps for its memory: the next attempt continues it."""


def run_training(
    config: TrainingConfig, out: Path, hosts: str = "", report: StepReport | None = None
) -> Path:
    """Train in the folder ``out``, from its last checkpoint if any; return the weights' file.

    Raises:
        TrainingKilledError: the training, or one of its ranks, was killed.
        TrainingFailedError: the training ended with an error.
    """
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "model.safetensors"
    described = out / "config.json"
    described.write_text(json.dumps(config.as_dict()), encoding="utf-8")
    parent = os.getpid()
    with (out / "train.log").open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *command(gpu_count(), hosts), str(described), str(out)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,  # in our session: in one of its own its niceness would not count
            preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),  # noqa: PLW1509
        )
        try:
            watch(process, out, config.total_steps, report)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode or not weights.is_file():
        text = log_since(out / "train.log", start)
        killed = process.returncode < 0 or KILLED.search(text)
        raise (TrainingKilledError if killed else TrainingFailedError)(
            f"the training in {out} ended with status {process.returncode}: {last_words(text)}"
        )
    return weights


def command(gpus: int, hosts: str) -> list[str]:
    """Return what ``python -m`` runs: the rank itself, or torchrun for several GPUs or hosts.

    ``hosts`` is ``NUMBER@ADDRESS:PORT``: that many hosts meet at that address.
    """
    if gpus <= 1 and not hosts:
        return [RANK]
    number, _, rendezvous = hosts.partition("@")
    where = (
        ["--nnodes", number, "--rdzv-backend", "c10d", "--rdzv-endpoint", rendezvous]
        if hosts
        else ["--standalone"]
    )
    return ["torch.distributed.run", "--nproc-per-node", str(max(1, gpus)), *where, "-m", RANK]


def process_count(gpus: int, hosts: str) -> int:
    """Return the number of processes on all hosts: one per GPU, or one per host without any."""
    number, _, _ = hosts.partition("@")
    return max(1, gpus) * int(number or 1)


def gpu_count() -> int:
    """Return the number of GPUs that this worker may use."""
    import torch  # noqa: PLC0415

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def watch(
    process: "subprocess.Popen[bytes]", out: Path, total: int, report: StepReport | None
) -> None:
    """Wait until the process ends, and report its progress."""
    started, first = time.monotonic(), None
    while process.poll() is None:
        time.sleep(POLL_SECONDS)
        step = last_step(out / "metrics.jsonl")
        if report is None or step is None:
            continue
        if first is None or step < first:  # the last attempt's, until the checkpoint is read
            started, first = time.monotonic(), step
        done = step - first
        pace = (time.monotonic() - started) / done if done else None
        report(step, None if pace is None else pace * (total - step))


def last_step(path: Path) -> int | None:
    """Return the step of the newest complete line of metrics; None if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            values: dict[str, Any] = read_json(line)
            return int(values["step"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


def log_since(path: Path, start: int) -> str:
    """Return a log from ``start`` on; earlier attempts wrote what comes before."""
    try:
        return path.read_bytes()[start:].decode("utf-8", "replace").strip()
    except OSError:
        return "(no log)"


def last_words(text: str, length: int = 1000) -> str:
    """Return a rank's own error, which torchrun's messages follow; else the end of the log."""
    found = RANK_ERROR.search(text)
    return text[found.start() :][:length] if found else text[-length:]
