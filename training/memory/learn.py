"""Learns the adaptation of a project from its accepted images, on frozen features."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from dynamite.adaptation import Adaptation, adaptable, copy_adaptable
from dynamite.network.model import DynaMITE
from training.config import DataConfig, LossConfig, ModelSource, Stage, TrainingConfig
from training.loop.distributed import Processes
from training.loop.iteration import Iteration
from training.memory.examples import Example, clicked_batch

STEPS = 60
"""Samples that are learned from: with 150, few images were learned by heart (docs/memory.md)."""
RATE = 2e-4
"""Highest learning rate; it rises over ``WARMUP`` steps, then falls to 0."""
WARMUP = 5
MAX_ROUNDS = 2
"""Most rounds of corrections before a prediction."""
MAX_OBJECTS = 8
"""Most objects of a sample: more would cost time and bring little."""


def learn(
    model: DynaMITE,
    examples: Sequence[Example],
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Adaptation:
    """Adapt a copy of the network to the examples.

    Args:
        model: the network that made the examples' features; it is not changed.
        examples: one or more.
        rng: makes all choices.
        steps: how many samples to learn from.
        report: called with the steps done and all.
    """
    learner = copy_adaptable(model)
    weights = [weight for _, weight in adaptable(learner) if weight.requires_grad]
    iteration = Iteration(learner, config_for(model, rng), Processes(device=model.device))
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * (1 - step / steps)
        example = examples[int(rng.integers(len(examples)))]
        batch = clicked_batch(example, MAX_OBJECTS, rng, number=step)
        outcome = iteration.answer(example.maps, batch, int(rng.integers(MAX_ROUNDS + 1)))
        optimizer.zero_grad()
        outcome.losses.total.backward()
        clip_grad_norm_(weights, 1.0)
        optimizer.step()
        report(step + 1, steps)
    return Adaptation.of(learner)


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
