"""Random generators that depend only on (seed, purpose, counters), so no state has to be kept.

A repeated or resumed run draws the same numbers, with any number of processes.
"""

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What a generator is for; each purpose has its own stream."""

    CORRECTIONS = 1
    POINTS = 2
    ROUNDS = 3
    NETWORK = 4


def generator(seed: int, purpose: Purpose, *counters: int) -> np.random.Generator:
    """Return the numpy generator of a purpose and, for example, a sample number."""
    return np.random.default_rng((seed, int(purpose), *counters))


def torch_seed(seed: int, purpose: Purpose, *counters: int) -> int:
    """Return the seed of a torch generator for a purpose and counters."""
    words = np.random.SeedSequence((seed, int(purpose), *counters)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def torch_generator(
    seed: int, purpose: Purpose, *counters: int, device: torch.device
) -> torch.Generator:
    """Return the torch generator of a purpose and, for example, a sample number."""
    return torch.Generator(device).manual_seed(torch_seed(seed, purpose, *counters))
