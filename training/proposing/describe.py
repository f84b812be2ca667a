"""Describes the accepted objects of a project, label by label."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from dynamite import ImageFeatures, Predictor
from dynamite.proposals.describe import describe
from dynamite.proposals.description import Description, Kind
from training.annotation_store import AnnotationStore, ProjectKey
from training.data.sample import Sample
from training.memory.accepted import accepted_samples
from training.proposing.kept import (
    MOST_IMAGES,
    MOST_LABELS,
    Entry,
    Kept,
    KeptDescriptions,
    Record,
)
from training.proposing.trial import try_labels

CONSIDERED = 2 * MOST_IMAGES
"""Newest images of a project that are looked at."""

TRIED = 8
"""Newest images of a project that tell how right its proposals are."""

Described = Mapping[str, Description]
"""The objects of one image by label."""


def describe_project(
    predictor: Predictor,
    store: AnnotationStore,
    project: ProjectKey,
    kept: KeptDescriptions,
    *,
    weights: str,
    exhaustive: bool,
    tries: bool,
) -> Record:
    """Bring the descriptions of a project to the state of the store; return their record.

    An image is encoded once, unless its annotation or the weights change, or it is to be tried.

    Args:
        predictor: of the network that answers clicks.
        store: the accepted annotations.
        project: whose descriptions.
        kept: where they are kept.
        weights: names the weights of the network (``Record.weights``).
        exhaustive: whether the project labels every object.
        tries: whether to try on the newest images what the others tell (``verdicts``).
    """
    change = store.project_change(project)
    before = _before(kept, project, predictor.model.version)
    known = _known(before)
    samples = accepted_samples(store, project, exhaustive=exhaustive, most=CONSIDERED)
    names = [name_of(sample) for sample in samples]
    to_try = names[:TRIED] if tries else []
    images = {name: known[name] for name in names if name in known}
    trials = [one for one in before.record.trials if one.image in to_try] if before else []
    tried = set(before.record.tried if before else ())
    for name, sample in reversed(list(zip(names, samples, strict=True))):
        is_due = name in to_try and name not in tried
        if name in known and not is_due:
            continue
        features = predictor.encode(sample.image)
        if is_due:
            others = [images[one] for one in names if one in images and one != name]
            trials += try_labels(predictor, features, sample, name, others)
        rng = np.random.default_rng(int(name, 16))
        images[name] = known.get(name) or describe_labels(features, sample, rng)
    images = {name: images[name] for name in names}
    chosen = _chosen(images)
    described = {name for _, name in chosen}
    record = Record(
        change=change,
        weights=weights,
        model_version=predictor.model.version,
        entries=tuple(Entry(label=label, image=name) for label, name in chosen),
        passed_over=tuple(name for name in images if name not in described),
        tried=tuple(to_try),
        trials=tuple(trials),
    )
    kept.write(project, record, [images[name][label] for label, name in chosen])
    return record


def name_of(sample: Sample) -> str:
    """Return a name for an image with its objects: 16 hexadecimal digits.

    It changes with the masks and the labels; neither can be told from it.
    """
    found = blake2b(f"{sample.sample_id} {sample.labels}".encode(), digest_size=8)
    found.update(np.ascontiguousarray(sample.label_map).tobytes())
    return found.hexdigest()


def _before(kept: KeptDescriptions, project: ProjectKey, model_version: str) -> Kept | None:
    """Return what the same network has described before."""
    before = kept.read(project)
    return before if before is not None and before.record.model_version == model_version else None


def _known(before: Kept | None) -> dict[str, Described]:
    """Return the descriptions of the images that have been seen; of those passed over, none."""
    found: dict[str, dict[str, Description]] = {}
    if before is not None:
        found |= {name: {} for name in before.record.passed_over}
        for entry, one in zip(before.record.entries, before.descriptions, strict=True):
            found.setdefault(entry.image, {})[entry.label] = one
    return dict(found)


def describe_labels(
    features: ImageFeatures, sample: Sample, rng: np.random.Generator
) -> dict[str, Description]:
    """Return the descriptions of an accepted image by label; of a label without a cell, none.

    Args:
        features: of the image.
        sample: its accepted objects.
        rng: draws the vectors.
    """
    found = {}
    for label in sorted(set(sample.labels)):
        own = [index for index, one in enumerate(sample.labels) if one == label]
        one = describe(features, sample.label_map, own, rng, ignore=sample.ignore)
        if one is not None:
            found[label] = one
    return found


def _chosen(images: Mapping[str, Described]) -> list[tuple[str, str]]:
    """Return which labels and images are kept, by label, the newest image first."""
    counts = Counter(label for one in images.values() for label in one)
    labels = sorted(label for label, _ in counts.most_common(MOST_LABELS))
    return [(label, name) for label in labels for name in _of_label(images, label)]


def _of_label(images: Mapping[str, Described], label: str) -> Iterable[str]:
    """Return the newest images of a label, and of the others those unlike what is kept already."""
    names = [name for name, one in images.items() if label in one]
    if len(names) <= MOST_IMAGES:
        return names
    looks = [_look(images[name][label]) for name in names]
    kept = list(range(MOST_IMAGES // 2))
    while len(kept) < MOST_IMAGES:
        kept.append(_least_alike(looks, kept))
    return [names[place] for place in sorted(kept)]


def _look(description: Description) -> NDArray[np.float32]:
    """Return the mean vector of the objects, with unit length."""
    objects = description.vectors[description.kinds != Kind.BACKGROUND].astype(np.float32)
    mean = objects.mean(0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)


def _least_alike(looks: Sequence[NDArray[np.float32]], kept: Sequence[int]) -> int:
    """Return the place of what lies farthest from all that is kept; the newest among equals."""
    apart = [min(float(np.linalg.norm(one - looks[place])) for place in kept) for one in looks]
    return int(np.argmax([-1.0 if place in kept else one for place, one in enumerate(apart)]))
