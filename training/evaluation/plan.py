"""The plan of an evaluation: what the simulated annotator does."""

from dataclasses import dataclass
from typing import Any

from dynamite.errors import InvalidInputError
from training.evaluation import mist, single_instance
from training.evaluation.gestures import GESTURES
from training.evaluation.strategies import STRATEGIES

SEED = 123456
"""The seed of the published protocol; ``EvaluationPlan.seed`` is added to it."""


@dataclass(frozen=True)
class EvaluationPlan:
    """What the simulated annotator does in one row of an evaluation.

    Raises:
        InvalidInputError: a value is unknown or out of range.
    """

    strategy: str = "random"
    """The object clicked next: a key of ``STRATEGIES``."""
    gesture: str = "center"
    """How a region is marked: a key of ``GESTURES``."""
    single_object: bool = False
    """Segment one object at a time, not all objects of an image together."""
    threshold: float = mist.IOU_THRESHOLD
    """IoU to reach, 0.80 ≤ … < 1."""
    clicks_per_object: int = mist.CLICKS_PER_OBJECT
    """Click budget per object."""
    seed: int = 0
    substitute_empty: bool = False
    """Replace an image without objects by another one, as the reference does (MODEL_SPEC 10.1),
    instead of leaving it out."""

    def __post_init__(self) -> None:
        for kind, name, known in (
            ("strategy", self.strategy, STRATEGIES),
            ("protocol", self.gesture, GESTURES),
        ):
            if name not in known:
                raise InvalidInputError(f"{kind} {name!r} is not one of {', '.join(known)}")
        if not 0.8 <= self.threshold < 1:
            raise InvalidInputError(f"threshold {self.threshold:g} is not in 0.80 ≤ … < 1")
        if self.clicks_per_object < 1:
            raise InvalidInputError(
                f"{self.clicks_per_object} clicks per object: at least one is needed"
            )

    @classmethod
    def single_instance(cls, **changes: Any) -> "EvaluationPlan":
        """Return the usual plan of single-instance evaluation: 20 clicks, up to an IoU of 0.90."""
        usual = {
            "threshold": single_instance.IOU_THRESHOLD,
            "clicks_per_object": single_instance.CLICK_BUDGET,
        }
        return cls(**(usual | {"single_object": True} | changes))
