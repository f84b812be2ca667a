"""An endless, weighted mixture of data sets in which sample number i is always the same.

Nothing is remembered between samples: a resumed run goes on with the next index, and any number
of processes may share the indices out among themselves.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from training.data.augment import Augment, AugmentConfig
from training.data.problems import DatasetError
from training.data.sample import InstanceDataset, Sample

_ATTEMPTS = 20  # draws until a crop holds an object


class Draw(NamedTuple):
    """What sample number `index` of a mixture is made from."""

    dataset: str
    item: int


class Mixture:
    """Data sets by name, drawn in proportion to their weights; items uniformly, with replacement.

    A set with weight 0 is never drawn. Raises DatasetError for weights that fit no set, are
    negative or all 0, and for empty sets.
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
        """A random set and one of its items."""
        position = int(np.searchsorted(self._limits, rng.random(), side="right"))
        name = self._names[min(position, len(self._names) - 1)]
        return Draw(name, int(rng.integers(len(self._datasets[name]))))

    def load(self, draw: Draw) -> Sample:
        """The sample a draw stands for."""
        return self._datasets[draw.dataset][draw.item]


class TrainingSamples:
    """Sample number i = 0, 1, 2, … of a training run: augmented, a function of (seed, i) alone.

    Has no length. Samples of one index are equal in every process and after every restart.
    """

    def __init__(self, mixture: Mixture, config: AugmentConfig, seed: int) -> None:
        self._mixture = mixture
        self._augment = Augment(config, donors=lambda rng: mixture.load(mixture.draw(rng)))
        self._seed = seed

    def generator(self, index: int) -> np.random.Generator:
        """The generator of one sample, at its start."""
        return np.random.default_rng([self._seed, index])

    def __getitem__(self, index: int) -> Sample:
        return self.get(index)[0]

    def get(self, index: int) -> tuple[Sample, np.random.Generator]:
        """The sample and its generator, to be used on for whatever else is random about it."""
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
