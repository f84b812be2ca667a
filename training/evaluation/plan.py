"""What the simulated annotator is to do, checked once."""

from dataclasses import dataclass
from typing import Any

from dynamite.errors import InvalidInputError
from training.evaluation import mist, single_instance
from training.evaluation.gestures import GESTURES
from training.evaluation.strategies import STRATEGIES

SEED = 123456
"""The seed of the published protocol; ``Plan.seed`` is added to it."""


@dataclass(frozen=True)
class Plan:
    """One row of an evaluation. ``single``: one object at a time instead of all of an image.

    ``substitute_empty`` replaces an image without objects by another one, as the reference does,
    instead of leaving it out (docs/evaluation.md).
    """

    strategy: str = "random"
    gesture: str = "center"
    single: bool = False
    threshold: float = mist.THRESHOLD
    per_object: int = mist.CLICKS_PER_OBJECT
    seed: int = 0
    substitute_empty: bool = False

    def __post_init__(self) -> None:
        for kind, name, known in (
            ("strategy", self.strategy, STRATEGIES),
            ("protocol", self.gesture, GESTURES),
        ):
            if name not in known:
                raise InvalidInputError(f"{kind} {name!r} is not one of {', '.join(known)}")
        if not 0.8 <= self.threshold < 1:
            raise InvalidInputError(f"threshold {self.threshold:g} is not in 0.80 ≤ … < 1")
        if self.per_object < 1:
            raise InvalidInputError(f"{self.per_object} clicks per object: at least one is needed")

    @classmethod
    def single_instance(cls, **changes: Any) -> "Plan":
        """The usual plan of single-instance evaluation: 20 clicks, up to an IoU of 0.90."""
        usual = {"threshold": single_instance.THRESHOLD, "per_object": single_instance.CLICKS}
        return cls(**(usual | {"single": True} | changes))
