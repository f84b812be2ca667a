"""Proposes further objects in an image, from its accepted masks and from its project's."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from backend.proposals.likenesses import Likenesses
from backend.session.answer_plan import LikeAsked
from backend.session.bitmask import BitMask
from backend.session.like import Proposed
from dynamite.clicks import ClickSet

if TYPE_CHECKING:
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.predictor import Segmentation
    from dynamite.proposals.description import Description

MOST = 100
"""Objects proposed at once."""

EXAMPLES_WEIGH = 2
"""How often the masks of the image itself count, against one of each image of the project."""

NOTHING = -1

LabelMap = npt.NDArray[np.int16]


class Proposer:
    """Proposes objects. Thread-safe; keeps nothing of an image."""

    def __init__(self, likenesses: Likenesses) -> None:
        self._likenesses = likenesses

    def __call__(
        self,
        project: tuple[str, int] | None,
        asked: LikeAsked,
        features: "ImageFeatures",
        segment: Callable[[ClickSet], "Segmentation"],
        *,
        accepts: Callable[[str], bool],
    ) -> list[Proposed]:
        """Return further objects, the best of each label first; they overlap nothing known.

        Args:
            project: source and number of the image's project; None where it is not known.
            asked: what is asked for, and what is known of the image.
            features: of the image.
            segment: segments clicks on it.
            accepts: whether the tool can show a mask with a label.

        Raises:
            DynamiteError: the model fails.
        """
        from dynamite.proposals.likeness import Likeness  # noqa: PLC0415  it loads torch
        from dynamite.proposals.propose import propose  # noqa: PLC0415

        known = _label_map(asked, features.image_size)
        found: list[Proposed] = []
        for label in self._labels(project, asked, features.model_version):
            if len(found) >= MOST:
                break
            descriptions = self._descriptions(project, asked, label, features, known)
            if not descriptions or not accepts(label):
                continue
            proposals = propose(
                features,
                Likeness.learn(descriptions),
                segment,
                known=known,
                most=MOST - len(found),
            )
            height, width = known.shape
            for index, (score, seed) in enumerate(
                zip(proposals.scores.tolist(), proposals.seeds, strict=True)
            ):
                mask = proposals.label_map == index
                known[mask] = known.max() + 1
                place = seed.x / width, seed.y / height
                found.append(Proposed(label, BitMask.of(mask), score, place))
        return found

    def _labels(self, project: tuple[str, int] | None, asked: LikeAsked, version: str) -> list[str]:
        """Return the label asked for; where none is, those with examples and those described."""
        if asked.label is not None:
            return [asked.label]
        described = (
            self._likenesses.labels(project, version, worth_it=asked.unasked) if project else ()
        )
        return list(dict.fromkeys([*asked.examples, *described]))

    def _descriptions(
        self,
        project: tuple[str, int] | None,
        asked: LikeAsked,
        label: str,
        features: "ImageFeatures",
        known: LabelMap,
    ) -> "Sequence[Description]":
        from dynamite.proposals.describe import describe  # noqa: PLC0415  it loads torch

        found = list(self._likenesses.of(project, label, features.model_version)) if project else []
        first = sum(len(masks) for name, masks in asked.examples.items() if name < label)
        own = range(first, first + len(asked.examples.get(label, ())))
        if own:
            one = describe(features, known, own, np.random.default_rng(0))
            if one is not None and (not found or found[0].vectors.shape[1] == one.vectors.shape[1]):
                found += [one] * EXAMPLES_WEIGH
        return found


def _label_map(asked: LikeAsked, size: tuple[int, int]) -> LabelMap:
    """Return the index of each known mask, the examples of the first label first."""
    label_map = np.full(size, NOTHING, np.int16)
    masks = [mask for _, masks in sorted(asked.examples.items()) for mask in masks]
    for index, mask in enumerate([*masks, *asked.others]):
        label_map[mask.sized(*size)] = index
    return label_map
