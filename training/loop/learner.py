"""The learner: a network with its optimizer and moving average, trained one batch at a time."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from dynamite.errors import CheckpointError, DynamiteError
from dynamite.network.model import DynaMITE
from training.config import TrainingConfig
from training.loop.batches import Batch
from training.loop.building import build_model
from training.loop.checkpointing import Checkpoint
from training.loop.distributed import Processes
from training.loop.iteration import Iteration, Outcome
from training.loop.optimization import (
    MovingAverage,
    freeze,
    parameter_groups,
    rate_factor,
    set_learning_rate,
)
from training.loop.randomness import Purpose, generator


class TrainingDivergedError(DynamiteError):
    """The loss or its gradient is not a finite number."""


class Learner:
    """One process's network and all that changes with it.

    ``note`` is called with remarks about the start weights.
    """

    def __init__(
        self, config: TrainingConfig, processes: Processes, note: Callable[[str], None]
    ) -> None:
        self.config = config
        self.processes = processes
        self.model = build_model(config, processes.device, note)
        freeze(self.model, config.optimizer)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.iteration = _distribute(Iteration(self.model, config, processes), processes)
        groups = parameter_groups(self.model, config.optimizer)
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, fused=True)
        decay = config.optimizer.ema_decay
        self.average = MovingAverage(self.model, decay) if decay else None

    @property
    def weights(self) -> DynaMITE:
        """The network to evaluate and to export: the moving average if there is one."""
        return self.model if self.average is None else self.average.model

    @property
    def learning_rate(self) -> float:
        """The largest learning rate of all parameter groups."""
        return max(float(group["lr"]) for group in self.optimizer.param_groups)

    def state(self) -> dict[str, Any]:
        """Return the fields ``model``, ``optimizer`` and ``average`` of a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.model.state_dict(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Return to the state of a checkpoint.

        Raises:
            CheckpointError: it holds another network, or other parameters were trained.
        """
        try:
            self.model.load_state_dict(checkpoint.model)
            self.optimizer.load_state_dict(dict(checkpoint.optimizer))
            if (
                self.average is not None
            ):  # an average that the config has just asked for starts here
                self.average.model.load_state_dict(checkpoint.average or checkpoint.model)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint of step {checkpoint.step} does not fit this config: {error}"
            ) from error

    def train_on(self, batch: Batch, step: int) -> tuple[Outcome, list[float]]:
        """Take one optimizer step.

        Args:
            batch: this process's part of the batch.
            step: number of the step, from 0.

        Returns:
            The outcome of this process's part, and the loss, its mask and dice parts (means over
            all processes) and the norm of the gradient.

        Raises:
            TrainingDivergedError: the loss or the gradient is not finite; the weights are
                unchanged.
        """
        config = self.config
        rounds = int(generator(config.seed, Purpose.ROUNDS, step).integers(config.max_rounds + 1))
        stage, _, _ = config.stage_at(step)
        factor = rate_factor(config.schedule, step, config.total_steps)
        set_learning_rate(self.optimizer, stage.learning_rate * factor)
        with self._autocast():
            outcome: Outcome = self.iteration(batch, rounds)
        losses = outcome.losses
        values = torch.stack((losses.total.detach(), losses.mask, losses.dice))
        mean = self.processes.mean(values)
        _check_finite("loss", mean[0], losses.total, batch, step)
        self.optimizer.zero_grad()
        losses.total.backward()
        norm = clip_grad_norm_(self.trained, config.optimizer.clip_norm or torch.inf)
        _check_finite("gradient", norm, norm, batch, step)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model, step)
        return outcome, [*mean.tolist(), float(norm)]

    def _autocast(self) -> AbstractContextManager[object]:
        device, amp = self.processes.device.type, self.config.compute.amp
        if amp == "off" or (amp == "cuda" and device != "cuda"):
            return nullcontext()
        return torch.autocast(device, torch.bfloat16)


def _check_finite(what: str, mean: Tensor, own: Tensor, batch: Batch, step: int) -> None:
    if bool(mean.isfinite()):
        return
    own = own.detach()
    mine = not bool(own.isfinite())
    samples = ", ".join(batch.sample_ids) if mine else "samples of another process"
    raise TrainingDivergedError(
        f"step {step}: the {what} is {float(own)}; samples: {samples}. The last checkpoint is from "
        'before this step: resume with a lower learning rate or compute: {amp: "off"}.'
    )


def _distribute(iteration: Iteration, processes: Processes) -> torch.nn.Module:
    if processes.count == 1:
        return iteration
    devices: Sequence[torch.device] | None = (
        [processes.device] if processes.device.type == "cuda" else None
    )
    return DistributedDataParallel(iteration, device_ids=devices, gradient_as_bucket_view=True)
