"""Which labels of a project are worth pre-labelling. Imports no torch.

What is known of a project is tried on its newest accepted images, each left out of what it is tried
with. A proposal is right if it has an IoU above 0.5 with an accepted object of its label: what
people leave unlabelled, they would have to delete.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

LEAST_RIGHT = 0.5
"""Share of right proposals below which a label is not pre-labelled: deleting would be the work."""

LEAST_PROPOSED = 10
"""Proposals without which a label is not judged."""


class Trial(BaseModel):
    """What was proposed of a label in one accepted image, and how much of it was right."""

    model_config = ConfigDict(frozen=True)

    image: str
    label: str
    proposed: int = Field(ge=0)
    right: int = Field(ge=0)


@dataclass(frozen=True)
class Verdict:
    """What the trials of a label say together."""

    label: str
    images: int
    proposed: int
    right: int

    @property
    def is_on(self) -> bool:
        """Whether tasks are pre-labelled with the label; so they are until there is evidence."""
        return self.proposed < LEAST_PROPOSED or self.right >= LEAST_RIGHT * self.proposed

    def __str__(self) -> str:
        """Return it in words."""
        if not self.proposed:
            return f"{self.label}: not tried yet"
        found = (
            f"people labelled {self.right} of {self.proposed} proposals "
            f"(in {self.images} accepted images)"
        )
        return f"{self.label}: {'' if self.is_on else 'off, '}{found}"


def verdicts(labels: Iterable[str], trials: Iterable[Trial]) -> list[Verdict]:
    """Return a verdict on each label."""
    known = list(trials)
    found = []
    for label in labels:
        own = [one for one in known if one.label == label]
        proposed, right = sum(one.proposed for one in own), sum(one.right for one in own)
        found.append(Verdict(label, len(own), proposed, right))
    return found
