"""Learns the adaptation of a project from its accepted images, on frozen features."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from dynamite.adaptation import Adaptation, adaptable, copy_adaptable
from dynamite.network.model import DynaMITE
from training.config import DataConfig, LossConfig, ModelSource, Stage, TrainingConfig
from training.loop.distributed import Processes
from training.loop.iteration import Iteration
from training.memory.examples import Example, clicked_batch

RATE = 1e-4
"""Learning rate, after a rise over ``WARMUP`` steps."""
WARMUP = 5
AVERAGED = 0.5
"""Share of the steps, the last ones, whose weights are averaged: with a handful of images, a single
step says more about its own sample than about the project (docs/memory.md)."""
MAX_ROUNDS = 2
"""Most rounds of corrections before a prediction."""
MAX_OBJECTS = 8
"""Most objects of a sample: more would cost time and bring little."""


def learn(
    model: DynaMITE,
    examples: Sequence[Example],
    rng: np.random.Generator,
    *,
    steps: int,
    start: Adaptation | None = None,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Adaptation:
    """Adapt a copy of the network to the examples.

    Args:
        model: the network that made the examples' features; it is not changed.
        examples: one or more.
        rng: makes all choices.
        steps: how many samples to learn from.
        start: what has been learned so far; None begins with the network itself.
        report: called with the steps done and all.
    """
    learner = copy_adaptable(model) if start is None else start.apply(model)
    weights = [weight for _, weight in adaptable(learner)]
    iteration = Iteration(learner, config_for(model, rng), Processes(device=model.device))
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
    mean = _Mean(weights)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP)
        example = examples[int(rng.integers(len(examples)))]
        batch = clicked_batch(example, MAX_OBJECTS, rng, number=step)
        outcome = iteration.answer(example.maps, batch, int(rng.integers(MAX_ROUNDS + 1)))
        optimizer.zero_grad()
        outcome.losses.total.backward(inputs=weights)  # the rest is shared, and stays
        clip_grad_norm_(weights, 1.0)
        optimizer.step()
        if step + 1 > (1 - AVERAGED) * steps:
            mean.add(weights)
        report(step + 1, steps)
    mean.write(weights)
    return Adaptation.of(learner)


class _Mean:
    """The mean of weights over steps."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._means = [torch.zeros_like(weight) for weight in weights]
        self._count = 0

    @torch.no_grad()
    def add(self, weights: Sequence[Tensor]) -> None:
        """Take the weights after a step into account."""
        self._count += 1
        for mean, weight in zip(self._means, weights, strict=True):
            mean.lerp_(weight, 1 / self._count)

    @torch.no_grad()
    def write(self, weights: Sequence[Tensor]) -> None:
        """Set the weights to their mean."""
        for mean, weight in zip(self._means, weights, strict=True):
            weight.copy_(mean)


def config_for(model: DynaMITE, rng: np.random.Generator) -> TrainingConfig:
    """Return what the iteration needs to know; stages and data do not matter to it."""
    return TrainingConfig(
        name="memory",
        model=ModelSource(preset=model.config.name),
        data=DataConfig(sets=()),
        stages=(Stage(steps=1, batch=1, crop=32, learning_rate=RATE),),
        seed=int(rng.integers(2**31)),
        max_rounds=MAX_ROUNDS,
        loss=LossConfig(
            points=2048, near=0.5, margins=bool(model.config.refiner_channels), auxiliary_weight=0.0
        ),
    )
