"""The gate of project memory: what memory did on images it had not learned from. Loads no torch.

Each accepted image is an independent trial: a simulated annotator segments it with the memory of
the images before it, and without. Few images say little, so what they say is weighed against a
normal prior: nothing saved, give or take what memory saved or cost elsewhere (docs/memory.md).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from pydantic import BaseModel, ConfigDict

PRIOR_MEAN = 0.0
"""Clicks saved, as a log ratio, in a project of which nothing is known yet: some kinds of image
gain and others lose (docs/memory.md), and"""
PRIOR_SPREAD = 0.1
"""its standard deviation between projects."""
IMAGE_SPREAD = 0.3
"""Standard deviation between the images of a project, and"""
IMAGE_WEIGHT = 4
"""how many images that counts for, beside the project's own."""
LABEL_SPREAD = 0.1
"""Standard deviation between the labels of a project."""

MARGIN = 0.02
"""Smallest share of clicks that memory must be expected to save."""

LEAST_CLICKS = 1.1
"""Clicks per object below which there is nothing to save."""

LEAST_FIRST_IOU = -0.02
"""Lowest expected change of the IoU after the first click."""
FIRST_WEIGHT = 3
"""Images that "the first mask is as good as before" counts for."""

LEAST_LABEL_IMAGES = 3
"""Fewest images for a label to be answered without memory while others are answered with it."""

MOST_LABEL = 200
"""Most characters kept of a label."""

Pair = tuple[float, float]
"""A figure without memory and with it."""


class LabelOutcome(BaseModel):
    """What memory does for the objects of one label: means."""

    model_config = ConfigDict(frozen=True)

    label: str
    objects: int
    first_iou: Pair
    clicks: Pair


class Outcome(BaseModel):
    """What memory did on one image that it had not learned from.

    Attributes:
        image: names the image with its masks (``accepted.name_of``).
        labels: by label; at least one.
    """

    model_config = ConfigDict(frozen=True)

    image: str
    labels: tuple[LabelOutcome, ...]

    @property
    def clicks(self) -> Pair:
        """Clicks per object."""
        return _mean((one.clicks, one.objects) for one in self.labels)

    @property
    def first_iou(self) -> Pair:
        """IoU after the first click."""
        return _mean((one.first_iou, one.objects) for one in self.labels)


@dataclass(frozen=True)
class Verdict:
    """What to do in a project.

    Attributes:
        images: how many outcomes it rests on.
        clicks: clicks per object in them; None without any.
        first_iou: IoU after the first click, likewise.
        expected: share of clicks that memory is expected to save on the next image, and
        error: its standard deviation.
        objection: why not to use memory, in words; empty if it is to be used.
        without: the labels that are answered without it.
    """

    images: int
    clicks: Pair | None
    first_iou: Pair | None
    expected: float
    error: float
    objection: str
    without: tuple[str, ...]

    @property
    def is_on(self) -> bool:
        """Whether to use memory."""
        return not self.objection


def judge(outcomes: Sequence[Outcome]) -> Verdict:
    """Decide on the memory of a project by what it did on images it had not learned from."""
    mean, error = _posterior([_saved(one.clicks) for one in outcomes], PRIOR_MEAN, PRIOR_SPREAD)
    clicks = _mean((one.clicks, _objects(one)) for one in outcomes) if outcomes else None
    first = _mean((one.first_iou, _objects(one)) for one in outcomes) if outcomes else None
    changes = [one.first_iou[1] - one.first_iou[0] for one in outcomes]
    expected = 1 - exp(-mean)
    if clicks is not None and clicks[0] < LEAST_CLICKS:
        objection = "one click is enough without it"
    elif expected < MARGIN:
        objection = f"less than {MARGIN:.0%} can be expected"
    elif sum(changes) / (len(changes) + FIRST_WEIGHT) < LEAST_FIRST_IOU:
        objection = "the first masks are worse"
    else:
        objection = ""
    harmed = () if objection else _harmed(outcomes, mean, error)
    return Verdict(len(outcomes), clicks, first, expected, error, objection, harmed)


def _harmed(outcomes: Iterable[Outcome], mean: float, error: float) -> tuple[str, ...]:
    """Return the labels that memory is expected to harm, though it helps the others."""
    saved: dict[str, list[float]] = {}
    for outcome in outcomes:
        for one in outcome.labels:
            saved.setdefault(one.label, []).append(_saved(one.clicks))
    spread = sqrt(LABEL_SPREAD**2 + error**2)
    return tuple(
        label
        for label, own in sorted(saved.items())
        if len(own) >= LEAST_LABEL_IMAGES and _posterior(own, mean, spread)[0] < -MARGIN
    )


def by_label(outcomes: Iterable[Outcome]) -> tuple[LabelOutcome, ...]:
    """Return what memory does for each label, over all images, the most frequent first."""
    rows: dict[str, list[LabelOutcome]] = {}
    for outcome in outcomes:
        for one in outcome.labels:
            rows.setdefault(one.label, []).append(one)
    found = [
        LabelOutcome(
            label=label,
            objects=sum(one.objects for one in own),
            first_iou=_mean((one.first_iou, one.objects) for one in own),
            clicks=_mean((one.clicks, one.objects) for one in own),
        )
        for label, own in sorted(rows.items())
    ]
    return tuple(sorted(found, key=lambda row: -row.objects))


def outcome_of(
    image: str, labels: Sequence[str], first_iou: Sequence[Pair], clicks: Sequence[Pair]
) -> Outcome:
    """Return the outcome on an image from the figures of its objects."""
    counts = Counter(labels)
    rows = []
    for label, count in sorted(counts.items()):
        own = [number for number, one in enumerate(labels) if one == label]
        rows.append(
            LabelOutcome(
                label=label[:MOST_LABEL],
                objects=count,
                first_iou=_mean((first_iou[number], 1) for number in own),
                clicks=_mean((clicks[number], 1) for number in own),
            )
        )
    return Outcome(image=image, labels=tuple(rows))


def _posterior(values: Sequence[float], mean: float, spread: float) -> Pair:
    """Return mean and standard deviation of what a project (or label) saves on its next images.

    Its images scatter as its own do, with ``IMAGE_SPREAD`` counting for ``IMAGE_WEIGHT`` of them.
    """
    if not values:
        return mean, spread
    own = sum(values) / len(values)
    squares = sum((value - own) ** 2 for value in values)
    variance = (IMAGE_WEIGHT * IMAGE_SPREAD**2 + squares) / (IMAGE_WEIGHT + len(values) - 1)
    known, seen = 1 / spread**2, len(values) / variance
    return (known * mean + seen * own) / (known + seen), 1 / sqrt(known + seen)


def _saved(clicks: Pair) -> float:
    """Return the log ratio of clicks without memory and with it: half as many are 0.69."""
    return log(clicks[0] / clicks[1])


def _objects(outcome: Outcome) -> int:
    return sum(one.objects for one in outcome.labels)


def _mean(weighted: Iterable[tuple[Pair, int]]) -> Pair:
    before = after = total = 0.0
    for (first, second), weight in weighted:
        before, after, total = before + first * weight, after + second * weight, total + weight
    return before / total, after / total
