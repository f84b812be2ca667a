"""Masks → the regions Label Studio's page shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from backend.label_studio.labeling_config import LabelingConfig
from backend.session.bitmask import BitMask
from backend.session.evidence import ImageKey
from backend.session.plan import Plan


class Segmented(Protocol):
    """What is needed of ``dynamite.predictor.Segmentation``: index −1 is background."""

    @property
    def label_map(self) -> npt.NDArray[np.int16]: ...
    @property
    def scores(self) -> npt.NDArray[np.floating[Any]]: ...


@dataclass(frozen=True)
class Answer:
    """The ``result`` list of a prediction, and what it showed, by region id, to be remembered."""

    result: list[dict[str, Any]] = field(default_factory=list)
    masks: dict[str, BitMask] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    score: float = 0.0


def answer(plan: Plan, segmented: Mapping[ImageKey, Segmented], config: LabelingConfig) -> Answer:
    """Disjoint regions for everything in the plan.

    ``segmented`` has the model's answer to ``ImagePlan.clicks`` for every image with targets.
    """
    raise NotImplementedError
