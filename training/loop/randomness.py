"""All randomness of a run is a function of (seed, purpose, counter): nothing has to be remembered.

A resumed run, another number of processes or loader workers, and a repeated run draw the same.
"""

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What a generator is for; each has its own stream."""

    CORRECTIONS = 1
    POINTS = 2
    ROUNDS = 3
    NETWORK = 4


def generator(seed: int, purpose: Purpose, *counters: int) -> np.random.Generator:
    """The numpy generator of one purpose and, say, one sample."""
    return np.random.default_rng((seed, int(purpose), *counters))


def torch_seed(seed: int, purpose: Purpose, *counters: int) -> int:
    """The same for a torch generator."""
    words = np.random.SeedSequence((seed, int(purpose), *counters)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def torch_generator(
    seed: int, purpose: Purpose, *counters: int, device: torch.device
) -> torch.Generator:
    """The torch generator of one purpose and, say, one sample."""
    return torch.Generator(device).manual_seed(torch_seed(seed, purpose, *counters))
