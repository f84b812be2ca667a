"""The training loop: batches in, checkpoints and metrics out, until the last step or the limit."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from training.config import TrainingConfig
from training.loop import checkpointing
from training.loop.batches import Batch, batches
from training.loop.building import write_weights
from training.loop.checkpointing import Checkpoint
from training.loop.distributed import Processes
from training.loop.learner import Learner
from training.loop.monitor import Monitor
from training.loop.optimization import train_mode
from training.loop.pictures import draw_batch
from training.loop.sources import Sources
from training.loop.validation import validate


@dataclass(frozen=True)
class RunResult:
    """How a run ended: after ``step`` of ``total`` steps."""

    step: int
    total: int

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.total


class Stopwatch:
    """The time spent on training steps, without validation, saving and the like."""

    def __init__(self) -> None:
        self.steps = self.samples = 0
        self.seconds = 0.0
        self._since = time.monotonic()

    def stop(self, samples: int) -> None:
        """End a step on this many samples."""
        self.steps += 1
        self.samples += samples
        self.seconds += time.monotonic() - self._since

    def start(self) -> None:
        """Begin the next step."""
        self._since = time.monotonic()


class Trainer:
    """One process's part of a training run in the folder ``out``.

    ``notes`` are remarks about its start for the user.
    """

    def __init__(
        self, config: TrainingConfig, sources: Sources, out: Path, processes: Processes
    ) -> None:
        self.notes: list[str] = []
        self.config = config
        self.sources = sources
        self.out = out
        self.processes = processes
        self.learner = Learner(config, processes, self.notes.append)
        self.step = 0
        self.score: dict[str, float] = {}
        self.best: float | None = None
        self.seconds = 0.0
        self._recent: list[list[float]] = []

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.out / "checkpoints"

    def restore(self, checkpoint: Checkpoint) -> None:
        """Return to the state of a checkpoint.

        Raises:
            CheckpointError: it holds another network, or other parameters were trained.
        """
        self.learner.restore(checkpoint)
        self.step, self.score = checkpoint.step, checkpoint.score
        self.best = checkpoint.best
        self.seconds, self._recent = checkpoint.seconds, checkpoint.recent

    def run(self, monitor: Monitor | None) -> RunResult:
        """Train from ``step`` on; ``monitor`` is None in all processes except the main one."""
        total, log = self.config.total_steps, self.config.log
        started, before = time.monotonic(), self.seconds
        stopwatch = Stopwatch()
        train_mode(self.learner.model, self.config.optimizer)
        for batch in self._batches():
            outcome, values = self.learner.train_on(batch, self.step)
            if self.processes.is_main:  # only its monitor reports and clears them
                self._recent.append(values)
            self.step += 1
            stopwatch.stop(len(batch.numbers) * self.processes.count)
            elapsed = time.monotonic() - started
            self.seconds = before + elapsed
            if monitor is not None:
                self._report(monitor, stopwatch)
            if monitor is not None and self._due(log.pictures_steps):
                draw_batch(batch, outcome, self.out / "pictures" / f"step_{self.step:08d}.png")
            self._validate(monitor)
            out_of_time = self._out_of_time(elapsed)
            if out_of_time or self.step == total or self._due(log.checkpoint_steps):
                self._save()
            if out_of_time:
                break
            stopwatch.start()
        return RunResult(self.step, total)

    def export(self, path: Path) -> None:
        """Write the weights in the format that ``dynamite.load`` reads."""
        write_weights(
            self.learner.weights,
            path,
            config=self.config,
            sources=self.sources,
            step=self.step,
            metrics=self.score,
        )

    def _batches(self) -> Iterator[Batch]:
        while self.step < self.config.total_steps:
            stage, first, samples = self.config.stage_at(self.step)
            share = self.processes.share(stage.batch)
            numbers = [
                range(samples + i * stage.batch, samples + (i + 1) * stage.batch)[share]
                for i in range(self.step - first, stage.steps)
            ]
            recipe = self.sources.recipe(self.config.data, stage, self.config.seed)
            for batch in batches(recipe, numbers, self.config.data.workers):
                moved = batch.to(self.processes.device)
                yield moved.channels_last() if self.config.compute.channels_last else moved

    def _due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _out_of_time(self, elapsed: float) -> bool:
        limit = self.config.max_seconds
        return limit is not None and bool(self.processes.maximum(int(elapsed >= limit)))

    def _report(self, monitor: Monitor, stopwatch: Stopwatch) -> None:
        monitor.advance(self.step)
        if not (self._due(self.config.log.every_steps) or self.step == self.config.total_steps):
            return
        means = torch.tensor(self._recent, dtype=torch.float64).mean(0).tolist()
        self._recent = []
        names = ("loss", "mask", "dice", "gradient")
        metrics = dict(zip(names, means, strict=True)) | {
            "rate": self.learner.learning_rate,
            "samples_per_second": stopwatch.samples / stopwatch.seconds,
            "seconds": self.seconds,
        }
        left = (self.config.total_steps - self.step) * stopwatch.seconds / stopwatch.steps
        monitor.record(self.step, metrics, eta=left)

    def _validate(self, monitor: Monitor | None) -> None:
        every = self.config.validation.every_steps
        if not every or not (self._due(every) or self.step == self.config.total_steps):
            return
        score = validate(
            self.learner.weights.eval(),
            self.sources.held_out,
            self.config.validation,
            self.processes,
        )
        train_mode(self.learner.model, self.config.optimizer)
        self.score = score.as_metrics()
        better = self.best is None or score.nci < self.best
        self.best = min(score.nci, self.best or score.nci)
        if monitor is not None:
            monitor.record(self.step, self.score)
            if better:
                self.export(self.out / "best.safetensors")

    def _save(self) -> None:
        if self.processes.is_main:
            checkpointing.save(
                self.checkpoints,
                Checkpoint(
                    step=self.step,
                    config=self.config.as_dict(),
                    **self.learner.state(),
                    score=self.score,
                    best=self.best,
                    seconds=self.seconds,
                    recent=self._recent,
                ),
            )
        self.processes.wait()
