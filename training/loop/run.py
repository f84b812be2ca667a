"""A whole training run in its folder: start or resume, train, write the weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.config import ConfigError, TrainingConfig
from training.loop import checkpointing
from training.loop.distributed import Processes, join
from training.loop.monitor import Monitor
from training.loop.sources import Sources, open_sources
from training.loop.trainer import RunResult, Trainer


def run(
    config: TrainingConfig,
    out: Path,
    *,
    data: Path | None = None,
    resume: bool = False,
    device: str | None = None,
) -> RunResult:
    """Train in the folder ``out``, alone or as one of torchrun's processes.

    Raises:
        ConfigError: the folder already holds a run and ``resume`` is not set, or the config does
            not fit the data or the number of processes.
        CheckpointError: the start weights or the checkpoints cannot be used.
        DatasetError: a data set is missing or faulty.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    with join(device) as processes:
        _check(config, out, processes, resume=resume)
        sources = open_sources(config.data, data)
        _check_validation(config, sources)
        trainer = Trainer(config, sources, out, processes)
        notes = [f"left out of {name}: {faults}" for name, faults in sources.left_out.items()]
        checkpoint = checkpointing.load_latest(trainer.checkpoints, processes.device, notes.append)
        if checkpoint is None:
            notes += trainer.notes
        else:
            trainer.restore(checkpoint)
            before, now = checkpoint.config, config.as_dict()
            notes += [f"changed since the checkpoint: {line}" for line in _differences(before, now)]
        if not processes.is_main:
            return trainer.run(None)
        total = config.total_steps
        with Monitor(out, total, trainer.step, tensorboard=config.log.tensorboard) as monitor:
            monitor.say(_introduction(config, trainer, processes))
            for note in notes:
                monitor.say(note)
            result = trainer.run(monitor)
            trainer.export(out / "model.safetensors")
            monitor.say(
                f"finished: {result.step} steps"
                if result.finished
                else f"stopped after {result.step} of {result.total} steps; continue with --resume"
            )
        return result


def export(config: TrainingConfig, out: Path, target: Path, *, data: Path | None = None) -> int:
    """Write the weights of a run's last checkpoint and return its step; the run may be active.

    Raises:
        ConfigError: there is no checkpoint.
    """
    processes = Processes()
    trainer = Trainer(config, open_sources(config.data, data), out, processes)
    checkpoint = checkpointing.load_latest(trainer.checkpoints, processes.device)
    if checkpoint is None:
        raise ConfigError(f"{trainer.checkpoints} holds no checkpoint yet")
    trainer.restore(checkpoint)
    trainer.export(target)
    return trainer.step


def _check(config: TrainingConfig, out: Path, processes: Processes, *, resume: bool) -> None:
    for stage in config.stages:
        if stage.batch % processes.count:
            raise ConfigError(
                f"a batch of {stage.batch} cannot be shared by {processes.count} processes"
            )
    if not resume and any((out / "checkpoints").glob("step_*.pt")):
        raise ConfigError(
            f"{out} already holds a run: continue it with --resume, or give another --out"
        )
    processes.wait()


def _check_validation(config: TrainingConfig, sources: Sources) -> None:
    every, holdout = config.validation.every_steps, config.data.holdout
    if every and not any(map(len, sources.held_out)):
        raise ConfigError(
            f"validation.every_steps is {every}, but data.holdout {holdout:g} keeps no image back "
            "to validate on: raise it, or set every_steps to 0"
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> list[str]:
    lines = []
    for key in sorted(set(before) | set(now)):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{place}{key}.")
        elif old != new:
            lines.append(f"{place}{key} is {new!r}, was {old!r}")
    return lines


def _introduction(config: TrainingConfig, trainer: Trainer, processes: Processes) -> str:
    trained = sum(parameter.numel() for parameter in trainer.learner.trained)
    total = sum(parameter.numel() for parameter in trainer.learner.model.parameters())
    begin = f"from step {trainer.step}" if trainer.step else "from the start"
    return (
        f"{config.name}: {config.total_steps} steps {begin}, {total / 1e6:.2f} M parameters "
        f"({trained / 1e6:.2f} M trained), {processes.count} process(es) on {processes.device}"
    )
