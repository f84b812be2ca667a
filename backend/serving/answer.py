"""Answers: the masks of all objects of a task, as the tool can show and store them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backend.session.answer_plan import AnswerPlan
from backend.session.bitmask import BitMask, Mask
from backend.session.composing import Segmented, compose
from backend.session.regions import ImageKey
from dynamite import brush_rle

Accepts = Callable[[ImageKey, str], bool]
"""Whether the tool can show a mask with this label on this image."""

AsStored = Callable[[ImageKey, str, str, Mask], Mask]
"""Returns a mask as the tool will hand it back, from its image, object and label: outlines lose
pixels."""


def as_it_is(image: ImageKey, object_id: str, label: str, mask: Mask) -> Mask:  # noqa: ARG001
    """Return the mask: the tool stores pixels."""
    return mask


@dataclass(frozen=True)
class AnsweredObject:
    """One object of an answer: its H×W mask, never empty, as the tool will store it.

    ``score`` is the model's confidence, 0…1; None for a mask that is repeated.
    """

    image: ImageKey
    id: str
    label: str
    mask: Mask = field(repr=False)
    score: float | None = None

    @cached_property
    def rle(self) -> list[int]:
        """The mask as Brush RLE."""
        return brush_rle.encode(self.mask)

    @cached_property
    def bits(self) -> BitMask:
        """The mask, packed."""
        return BitMask.of(self.mask)

    @property
    def digest(self) -> str:
        """A name for its pixels."""
        return self.bits.digest


@dataclass(frozen=True)
class Answer:
    """The objects to show, disjoint on each image, and what made them (``Model.name``)."""

    version: str
    objects: tuple[AnsweredObject, ...] = ()

    @property
    def score(self) -> float:
        """The mean score of the objects that have one; 0 without any."""
        scores = [o.score for o in self.objects if o.score is not None]
        return float(np.mean(scores)) if scores else 0.0


def compose_answer(
    plan: AnswerPlan,
    segmented: Mapping[ImageKey, Segmented],
    accepts: Accepts,
    version: str,
    as_stored: AsStored = as_it_is,
) -> Answer:
    """Return the answer to a plan: disjoint masks of every object that has pixels and can be shown.

    ``segmented`` holds the model's answer for every image with targets. Masks that the tool does
    not store to the pixel are disjoint but for what that costs.
    """
    objects = []
    for part in plan.images:
        for composed in compose(part, segmented.get(part.image)):
            label, mask = composed.label, composed.mask
            if accepts(part.image, label) and mask.any():
                mask = as_stored(part.image, composed.id, label, mask)
                objects.append(AnsweredObject(part.image, composed.id, label, mask, composed.score))
    return Answer(version, tuple(objects))
