"""The objects by which clicks can tell models apart: those that can be clicked again and again.

The protocol never clicks within 5 pixels of a click (MODEL_SPEC 10.3). An object no larger than
that disc gets one click or two, and what is wrong with it then stays so: in NCI it spends the
budget of its whole image under either model. The NCI of a crowd with a single one of them (the
fragment of a nucleus, a far window) says nothing, so the curve is without them. The gate keeps
them, since it counts a failure by object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.click_simulation import SUPPRESSION_RADIUS
from training.data.sample import NONE, InstanceDataset, Sample

_OFFSETS = np.arange(-SUPPRESSION_RADIUS, SUPPRESSION_RADIUS + 1)

DISC = int(np.count_nonzero(_OFFSETS[:, None] ** 2 + _OFFSETS**2 <= SUPPRESSION_RADIUS**2))
"""Pixels that a click keeps others off: 81."""


def clickable(sample: Sample) -> Sample:
    """``sample`` with its objects of at most ``DISC`` pixels neither objects nor background.

    Just as it is where that would leave none: such an image still says something of first clicks.
    """
    kept = np.flatnonzero(sample.areas > DISC)
    if len(kept) in {0, len(sample.labels)}:
        return sample
    tiny_HW = np.isin(sample.instances, np.flatnonzero(sample.areas <= DISC))
    # Out of the label map first, or a tiny part would become pixels of the object it is a part of.
    found = replace(sample, instances=np.where(tiny_HW, NONE, sample.instances))
    return replace(found.keep(map(int, kept)), ignore=sample.ignore | tiny_HW)


@dataclass(frozen=True)
class Clickable:
    """A data set of the clickable objects of another."""

    dataset: InstanceDataset

    @property
    def name(self) -> str:
        """The other's."""
        return self.dataset.name

    @property
    def sample_ids(self) -> Sequence[str]:
        """The other's."""
        return self.dataset.sample_ids

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return clickable(self.dataset[index])
