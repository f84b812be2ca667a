"""How a memory grows: it is tried on the next images, then learns from them.

So every image is a fair trial before it is a lesson, at the cost of segmenting it twice. Learning
goes on from what is known already. Where many images come at once, their number doubles from one
lesson to the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dynamite import Predictor
from dynamite.adaptation import Adaptation
from dynamite.network.model import DynaMITE
from training.data.sample import Sample
from training.memory.evidence import Outcome
from training.memory.examples import encode_examples
from training.memory.learn import learn
from training.memory.trial import try_memory
from training.memory.views import with_views

FIRST_STEPS = 60
"""Samples that the first lesson learns from."""
STEPS = 30
"""Samples that a later lesson learns from for each new image, and"""
MOST_STEPS = 60
"""how many at most."""

Report = Callable[[str, int, int], None]
"""Called with what is done ("trying" or "learning"), how much of it, and how much there is."""


def silent(phase: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Memory:
    """What a project has taught, and what came of it.

    Attributes:
        adaptation: the weights; None before the first lesson.
        known: the ids of the images learned from.
        outcomes: of the images it was tried on.
    """

    adaptation: Adaptation | None = None
    known: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def grow(
    model: DynaMITE,
    memory: Memory,
    samples: Sequence[Sample],
    rng: np.random.Generator,
    *,
    steps: float = 1.0,
    report: Report = silent,
) -> Memory:
    """Return the memory after all samples: each one it does not know is tried, then learned.

    Args:
        model: the network without memory.
        memory: what is known so far; learned from images among the samples.
        samples: the accepted images, the oldest first. All of them are learned from again.
        rng: makes all choices.
        steps: factor for the number of samples a lesson learns from.
        report: follows the progress.
    """
    new = [one for one in samples if one.sample_id not in memory.known]
    seen = [one for one in samples if one.sample_id in memory.known]
    while new:
        count = max(1, len(memory.known))
        lesson, new = new[:count], new[count:]
        memory = _tried(model, memory, lesson, rng, report)
        seen += lesson
        memory = _learned(model, memory, seen, len(lesson), rng, steps, report)
    return memory


def _learned(
    model: DynaMITE,
    memory: Memory,
    samples: Sequence[Sample],
    new: int,
    rng: np.random.Generator,
    steps: float,
    report: Report,
) -> Memory:
    """Return the memory after a lesson on the samples, the last ``new`` of them for the first time.

    The features of the samples are computed anew for each lesson, with new views: they would fill
    the memory of the process otherwise.
    """
    views = (view for one in samples for view in with_views(one, len(samples), rng))
    examples = encode_examples(Predictor(model), views)
    adaptation = memory.adaptation
    count = FIRST_STEPS if adaptation is None else min(STEPS * new, MOST_STEPS)
    if examples:
        adaptation = learn(
            model,
            examples,
            rng,
            steps=max(1, round(steps * count)),
            start=adaptation,
            report=lambda *progress: report("learning", *progress),
        )
    known = (*memory.known, *(one.sample_id for one in samples[-new:]))
    return Memory(adaptation, known, memory.outcomes)


def _tried(
    model: DynaMITE,
    memory: Memory,
    lesson: Sequence[Sample],
    rng: np.random.Generator,
    report: Report,
) -> Memory:
    """Return the memory with the outcomes on images it has not been tried on before."""
    if memory.adaptation is None:
        return memory
    adapted = memory.adaptation.apply(model)
    tried = {one.image for one in memory.outcomes}
    outcomes = list(memory.outcomes)
    for number, sample in enumerate(lesson):
        report("trying", number, len(lesson))
        if sample.sample_id not in tried:
            outcomes.append(try_memory(model, adapted, sample, rng))
    report("trying", len(lesson), len(lesson))
    return Memory(memory.adaptation, memory.known, tuple(outcomes))
