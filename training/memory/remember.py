"""Makes the memory of a project: tries what its accepted images teach, and keeps it if it helps."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from dynamite import Predictor
from dynamite.adaptation import adaptable
from dynamite.network.model import DynaMITE
from training.annotation_store import AnnotationStore, ProjectKey
from training.memory.accepted import accepted_samples
from training.memory.examples import encode_examples
from training.memory.kept import KeptMemories, LabelRecord, Record
from training.memory.learn import STEPS, learn
from training.memory.trial import LEAST, Trial, try_memory

log = logging.getLogger(__name__)

MOST_WEIGHTS = 4_000_000
"""Most adaptable weights of a network: serving processes hold several memories."""


def remember(
    model: DynaMITE,
    store: AnnotationStore,
    project: ProjectKey,
    kept: KeptMemories,
    rng: np.random.Generator,
    *,
    weights: str,
    exhaustive: bool,
    steps: int = STEPS,
    report: Callable[[str, int, int], None] = lambda *_: None,
) -> Record:
    """Bring the memory of a project to the state of the store; return its record.

    Args:
        model: the network that answers clicks.
        store: the accepted annotations.
        project: whose memory.
        kept: where memories are kept.
        rng: makes all choices.
        weights: names the weights of the network (``Record.weights``).
        exhaustive: whether the project labels every object.
        steps: of learning.
        report: called with the phase, what is done of it and its total.
    """
    change = store.project_change(project)
    count = sum(weight.numel() for _, weight in adaptable(model))
    too_large = count > MOST_WEIGHTS
    samples = [] if too_large else accepted_samples(store, project, exhaustive=exhaustive)
    record = Record(
        source=project.source,
        project=project.number,
        change=change,
        weights=weights,
        model_version=model.version,
        images=len(samples),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        words="",
    )
    if too_large:
        record = _off(record, f"{model.config.name} is too large for memories")
    elif len(samples) < LEAST:
        record = _off(record, f"{LEAST} accepted images are needed, there are {len(samples)}")
    else:
        trial = try_memory(
            model, samples, rng, steps=steps, report=lambda *done: report("trying", *done)
        )
        record = _tried(record, trial)
        if trial is not None and trial.helps:
            examples = encode_examples(Predictor(model), samples)
            learned = learn(
                model, examples, rng, steps=steps, report=lambda *done: report("learning", *done)
            )
            record = record.model_copy(update={"digest": learned.digest})
            kept.write(record, learned.save)
            return record
    kept.write(record)
    return record


def _off(record: Record, why: str) -> Record:
    return record.model_copy(update={"words": f"off: {why}"})


def _tried(record: Record, trial: Trial | None) -> Record:
    """Return the record with the outcome of its trial, in figures and in words."""
    if trial is None:
        return _off(record, "its objects are too small to learn from")
    before, after = trial.clicks
    saves = f"saves {100 * trial.gain:.0f} ± {100 * trial.error / before:.0f} % of the clicks"
    means = f"{before:.2f} → {after:.2f} per object in a trial on {trial.images} images"
    words = f"{saves}, {means}"
    figures = {
        "words": f"on: {words}" if trial.helps else f"off: {words}: {trial.objection}",
        "clicks": trial.clicks,
        "first_iou": trial.first_iou,
        "error": trial.error,
        "labels": tuple(LabelRecord(**asdict(row)) for row in trial.labels),
    }
    return record.model_copy(update=figures)
