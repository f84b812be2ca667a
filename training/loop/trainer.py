"""The loop: batches in, checkpoints and metrics out, until the steps or the time are used up."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from dynamite.errors import CheckpointError, DynamiteError
from dynamite.network.model import DynaMITE
from training.config import TrainingConfig
from training.loop import checkpointing
from training.loop.batches import Batch, batches
from training.loop.building import build_model, write_weights
from training.loop.checkpointing import Checkpoint
from training.loop.distributed import Processes
from training.loop.iteration import Iteration, Outcome
from training.loop.monitor import Monitor
from training.loop.optimization import (
    MovingAverage,
    freeze,
    parameter_groups,
    rate_factor,
    set_learning_rate,
    train_mode,
)
from training.loop.pictures import draw_batch
from training.loop.randomness import Purpose, generator
from training.loop.sources import Sources
from training.loop.validation import validate


class TrainingDivergedError(DynamiteError):
    """The loss or its gradient is no finite number."""


@dataclass(frozen=True)
class Progress:
    """How a run ended: steps done of all, and whether that is the end of it."""

    step: int
    total: int

    @property
    def finished(self) -> bool:
        """All steps are done."""
        return self.step >= self.total


class Pace:
    """Time spent on training steps, validation and the like left out."""

    def __init__(self) -> None:
        self.steps = self.samples = 0
        self.seconds = 0.0
        self._since = time.monotonic()

    def count(self, samples: int) -> None:
        """A step is done."""
        self.steps += 1
        self.samples += samples
        self.seconds += time.monotonic() - self._since

    def go_on(self) -> None:
        """The next step begins."""
        self._since = time.monotonic()


class Trainer:
    """One process's part of a training run that lives in the folder ``out``.

    ``notes`` are what a person should know of how it begins.
    """

    def __init__(
        self, config: TrainingConfig, sources: Sources, out: Path, processes: Processes
    ) -> None:
        self.notes: list[str] = []
        self.config = config
        self.sources = sources
        self.out = out
        self.processes = processes
        self.model = build_model(config, processes.device, self.notes.append)
        freeze(self.model, config.optimizer)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        iteration = Iteration(self.model, config, processes)
        self.iteration = _distribute(iteration, processes)
        groups = parameter_groups(self.model, config.optimizer)
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, fused=True)
        decay = config.optimizer.ema_decay
        self.average = MovingAverage(self.model, decay) if decay else None
        self.step = 0
        self.score: dict[str, float] = {}
        self.best: float | None = None
        self.seconds = 0.0
        self._recent: list[list[float]] = []

    @property
    def weights(self) -> DynaMITE:
        """The network to evaluate and to ship: the moving average if there is one."""
        return self.model if self.average is None else self.average.model

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.out / "checkpoints"

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to the state of a checkpoint.

        Raises:
            CheckpointError: it is of another network, or other parameters of it were trained.
        """
        try:
            self.model.load_state_dict(checkpoint.model)
            self.optimizer.load_state_dict(dict(checkpoint.optimizer))
            if self.average is not None:  # one that begins here averages from here on
                self.average.model.load_state_dict(checkpoint.average or checkpoint.model)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint in {self.checkpoints} does not fit this config: {error}"
            ) from error
        self.step, self.score = checkpoint.step, checkpoint.score
        self.best = checkpoint.best
        self.seconds, self._recent = checkpoint.seconds, checkpoint.recent

    def run(self, monitor: Monitor | None) -> Progress:
        """Train on from ``step``. ``monitor`` is None in all processes but the main one."""
        total, log = self.config.total_steps, self.config.log
        started, before = time.monotonic(), self.seconds
        pace = Pace()
        train_mode(self.model, self.config.optimizer)
        for batch in self._batches():
            outcome = self._train_on(batch)
            self.step += 1
            pace.count(len(batch.numbers) * self.processes.count)
            elapsed = time.monotonic() - started
            self.seconds = before + elapsed
            if monitor is not None:
                self._report(monitor, pace)
            if monitor is not None and self._due(log.pictures_steps):
                draw_batch(batch, outcome, self.out / "pictures" / f"step_{self.step:08d}.png")
            self._validate(monitor)
            out_of_time = self._out_of_time(elapsed)
            if out_of_time or self.step == total or self._due(log.checkpoint_steps):
                self._save()
            if out_of_time:
                break
            pace.go_on()
        return Progress(self.step, total)

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

    def _train_on(self, batch: Batch) -> Outcome:
        config, step = self.config, self.step
        rounds = int(generator(config.seed, Purpose.ROUNDS, step).integers(config.max_rounds + 1))
        stage, _, _ = config.stage_at(step)
        factor = rate_factor(config.schedule, step, config.total_steps)
        set_learning_rate(self.optimizer, stage.learning_rate * factor)
        with self._autocast():
            outcome: Outcome = self.iteration(batch, rounds)
        losses = outcome.losses
        values = torch.stack((losses.total.detach(), losses.mask, losses.dice))
        mean = self.processes.mean(values)
        self._check_finite("loss", mean[0], losses.total, batch)
        self.optimizer.zero_grad()
        losses.total.backward()
        norm = clip_grad_norm_(self.trained, config.optimizer.clip_norm or torch.inf)
        self._check_finite("gradient", norm, norm, batch)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model, step)
        if self.processes.is_main:  # who reports them, and forgets them then
            self._recent.append([*mean.tolist(), float(norm)])
        return outcome

    def _autocast(self) -> AbstractContextManager[object]:
        device, amp = self.processes.device.type, self.config.compute.amp
        if amp == "off" or (amp == "cuda" and device != "cuda"):
            return nullcontext()
        return torch.autocast(device, torch.bfloat16)

    def _check_finite(self, what: str, mean: Tensor, own: Tensor, batch: Batch) -> None:
        if bool(mean.isfinite()):
            return
        own = own.detach()
        mine = not bool(own.isfinite())
        samples = ", ".join(batch.sample_ids) if mine else "samples of another process"
        raise TrainingDivergedError(
            f"step {self.step}: the {what} is {float(own)}; samples: {samples}. The last "
            f"checkpoint in {self.checkpoints} is from before. A lower learning rate or "
            'compute: {amp: "off"} may help; --resume goes on from there.'
        )

    def _due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _out_of_time(self, elapsed: float) -> bool:
        limit = self.config.max_seconds
        return limit is not None and bool(self.processes.maximum(int(elapsed >= limit)))

    def _report(self, monitor: Monitor, pace: Pace) -> None:
        monitor.advance(self.step)
        if not (self._due(self.config.log.every_steps) or self.step == self.config.total_steps):
            return
        means = torch.tensor(self._recent, dtype=torch.float64).mean(0).tolist()
        self._recent = []
        names = ("loss", "mask", "dice", "gradient")
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        metrics = dict(zip(names, means, strict=True)) | {
            "rate": rate,
            "samples_per_second": pace.samples / pace.seconds,
            "seconds": self.seconds,
        }
        left = (self.config.total_steps - self.step) * pace.seconds / pace.steps
        monitor.record(self.step, metrics, eta=left)

    def _validate(self, monitor: Monitor | None) -> None:
        every = self.config.validation.every_steps
        if not every or not (self._due(every) or self.step == self.config.total_steps):
            return
        score = validate(
            self.weights.eval(), self.sources.held_out, self.config.validation, self.processes
        )
        train_mode(self.model, self.config.optimizer)
        self.score = score.as_metrics()
        better = self.best is None or score.nci < self.best
        self.best = min(score.nci, self.best or score.nci)
        if monitor is not None:
            monitor.record(self.step, self.score)
            if better:
                self.export(self.out / "best.safetensors")

    def export(self, path: Path) -> None:
        """Write the weights in the format that ``dynamite.load`` reads."""
        write_weights(
            self.weights,
            path,
            config=self.config,
            sources=self.sources,
            step=self.step,
            metrics=self.score,
        )

    def _save(self) -> None:
        if self.processes.is_main:
            checkpointing.save(
                self.checkpoints,
                Checkpoint(
                    step=self.step,
                    config=self.config.as_dict(),
                    model=self.model.state_dict(),
                    optimizer=self.optimizer.state_dict(),
                    average=None if self.average is None else self.average.model.state_dict(),
                    score=self.score,
                    best=self.best,
                    seconds=self.seconds,
                    recent=self._recent,
                ),
            )
        self.processes.wait()


def _distribute(iteration: Iteration, processes: Processes) -> torch.nn.Module:
    if processes.count == 1:
        return iteration
    devices: Sequence[torch.device] | None = (
        [processes.device] if processes.device.type == "cuda" else None
    )
    return DistributedDataParallel(iteration, device_ids=devices, gradient_as_bucket_view=True)
