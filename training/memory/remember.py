"""Brings the memory of a project up to date, and decides whether to use it."""

import logging
from collections.abc import Set
from datetime import UTC, datetime

import numpy as np

from dynamite.adaptation import Adaptation, adaptable
from dynamite.errors import DynamiteError
from dynamite.network.model import DynaMITE
from training.annotation_store import AnnotationStore, ProjectKey
from training.memory.accepted import accepted_names, accepted_samples
from training.memory.evidence import Verdict, judge
from training.memory.growth import Memory, Report, grow, silent
from training.memory.kept import KeptMemories, Record

log = logging.getLogger(__name__)

LEAST = 2
"""Fewest accepted images: the second is the first that memory can be tried on."""

MOST_KNOWN = 64
"""A memory that has learned from more images begins again with the newest ones, so that what it
knows, how far it drifts and what is written down of it stay bounded."""


def remember(
    model: DynaMITE,
    store: AnnotationStore,
    project: ProjectKey,
    kept: KeptMemories,
    rng: np.random.Generator,
    *,
    weights: str,
    exhaustive: bool,
    steps: float = 1.0,
    report: Report = silent,
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
        steps: factor for the number of samples to learn from.
        report: follows the progress.

    Raises:
        KeptByNewerError: a newer release has written this memory.
    """
    record = Record(
        source=project.source,
        project=project.number,
        change=store.project_change(project),
        weights=weights,
        model_version=model.version,
        images=0,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        words="",
    )
    if not any(adaptable(model)):
        return _write(kept, record, off=f"{model.config.name} has no refiner, which would learn")
    samples = accepted_samples(store, project, exhaustive=exhaustive)[::-1]
    record = record.model_copy(update={"images": len(samples)})
    if len(samples) < LEAST:
        words = f"{LEAST} accepted images are needed, there are {len(samples)}"
        return _write(kept, record, off=words)
    before = _recall(kept, record, accepted_names(store, project))
    memory = grow(model, before, samples, rng, steps=steps, report=report)
    verdict = judge(memory.outcomes)
    record = record.model_copy(
        update={"known": memory.known, "outcomes": memory.outcomes, "without": verdict.without}
    )
    if memory.adaptation is None or not memory.outcomes:
        return _write(kept, record, off="its objects are too small to learn from")
    record = record.model_copy(
        update={
            "digest": memory.adaptation.digest,
            "is_on": verdict.is_on,
            "words": in_words(verdict),
        }
    )
    kept.write(record, memory.adaptation.save)
    return record


def in_words(verdict: Verdict) -> str:
    """Return what was decided and why, for people."""
    before, after = verdict.clicks or (0.0, 0.0)
    images = f"{verdict.images} image{'s' * (verdict.images != 1)}"
    seen = f"{before:.2f} → {after:.2f} clicks per object on {images} before they were learned"
    expected = f"{100 * verdict.expected:.0f} ± {100 * verdict.error:.0f} % of the clicks"
    if verdict.objection:
        return f"off: {verdict.objection} ({seen}; it would save {expected})"
    without = f"; without it: {', '.join(verdict.without)}" if verdict.without else ""
    return f"on: expected to save {expected} ({seen}{without})"


def _write(kept: KeptMemories, record: Record, *, off: str) -> Record:
    record = record.model_copy(update={"words": f"off: {off}"})
    kept.write(record)
    return record


def _recall(kept: KeptMemories, record: Record, names: Set[str]) -> Memory:
    """Return what is known of a project so far, without images that are gone or have changed.

    Weights that have learned from such an image, or from too many, or that cannot be read, are
    dropped. What came of the trials on images that are still there counts on.
    """
    old = kept.record(record.key)
    if old is None or (old.weights, old.model_version) != (record.weights, record.model_version):
        return Memory()
    outcomes = tuple(one for one in old.outcomes if one.image in names)[-MOST_KNOWN:]
    begin_again = Memory(outcomes=outcomes)
    if old.digest is None or len(old.known) >= MOST_KNOWN or set(old.known) - names:
        return begin_again
    path = kept.weights_path(old)
    try:
        adaptation = Adaptation.load(path)
    except DynamiteError as error:
        log.warning("a memory is learned again from the beginning: %s", error)
        return begin_again
    if adaptation.digest != old.digest or adaptation.model_version != record.model_version:
        log.warning("a memory is learned again from the beginning: %s is damaged", path)
        return begin_again
    return Memory(adaptation, old.known, outcomes)
