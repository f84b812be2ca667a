"""Draws an endless, weighted mixture of data sets in which sample number i is always the same.

No state is kept between samples: a resumed run continues with the next number, and any number of
processes can share the numbers among themselves.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from training.data.augment import Augment, AugmentConfig
from training.data.problems import DatasetError
from training.data.sample import InstanceDataset, Sample

_ATTEMPTS = 20
"""Draws for one sample before giving up on a crop that holds an object."""


class Draw(NamedTuple):
    """A set of a mixture and the index of one of its items."""

    dataset: str
    item: int


class Mixture:
    """Data sets by name, drawn in proportion to their weights; items uniformly, with replacement.

    A set with weight 0 is never drawn.

    Raises:
        DatasetError: a set is empty, a weight is missing, belongs to no set or is negative, or all
            weights are 0.
    """

    def __init__(
        self, datasets: Mapping[str, InstanceDataset], weights: Mapping[str, float]
    ) -> None:
        if set(weights) != set(datasets):
            raise DatasetError(f"weights are for {sorted(weights)}, the sets {sorted(datasets)}")
        if not weights or min(weights.values()) < 0 or not 0 < sum(weights.values()) < np.inf:
            raise DatasetError(f"weights must be ≥ 0 and not all 0: {dict(weights)}")
        self._names = sorted(name for name, weight in weights.items() if weight > 0)
        self._datasets = {name: datasets[name] for name in self._names}
        for name, dataset in self._datasets.items():
            if len(dataset) == 0:
                raise DatasetError(f"{name}: the set is empty")
        shares = np.array([weights[name] for name in self._names], np.float64)
        self._limits = np.cumsum(shares) / shares.sum()

    def draw(self, rng: np.random.Generator) -> Draw:
        """Draw a set and one of its items."""
        position = int(np.searchsorted(self._limits, rng.random(), side="right"))
        name = self._names[min(position, len(self._names) - 1)]
        return Draw(name, int(rng.integers(len(self._datasets[name]))))

    def load(self, draw: Draw) -> Sample:
        """Load the drawn sample."""
        return self._datasets[draw.dataset][draw.item]


class TrainingSamples:
    """The augmented samples 0, 1, 2, … of a training run; each depends on (seed, number) alone.

    There is no last one. A number gives the same sample in every process and after every restart.
    """

    def __init__(self, mixture: Mixture, config: AugmentConfig, seed: int) -> None:
        self._mixture = mixture
        self._augment = Augment(config, donors=lambda rng: mixture.load(mixture.draw(rng)))
        self._seed = seed

    def generator(self, index: int) -> np.random.Generator:
        """Return the generator of one sample, unused."""
        return np.random.default_rng([self._seed, index])

    def __getitem__(self, index: int) -> Sample:
        return self.get(index)[0]

    def get(self, index: int) -> tuple[Sample, np.random.Generator]:
        """Return a sample and its generator, for further random choices about it.

        Raises:
            DatasetError: no draw gave a crop with an object.
        """
        rng = self.generator(index)
        for _ in range(_ATTEMPTS):
            draw = self._mixture.draw(rng)
            sample = self._augment(self._mixture.load(draw), rng)
            if sample.labels:
                return sample, rng
        raise DatasetError(
            f"{_ATTEMPTS} draws for sample {index} gave no crop with an object, the last from "
            f"{draw.dataset}: are all objects smaller than min_area?"
        )
