"""What was trained and what it began with, in one network: most of what is new, less forgotten."""

from pathlib import Path

import torch

import dynamite
from dynamite.checkpoint import read, save
from dynamite.errors import CheckpointError

TRAINED = 0.7
"""Share of what was trained, in every weight. On images of a new kind that cost nothing, on others
half of what was forgotten came back (docs/retraining.md). Wortsman et al., "Robust fine-tuning of
zero-shot models", 2022.
"""


def blend(start: Path, trained: Path, out: Path) -> Path:
    """Write the mean of two networks, ``TRAINED`` of it the second; what only that has stays.

    Raises:
        CheckpointError: one of the files cannot be read, or does not say what network it is.
    """
    config = read(trained).config
    if config is None:
        raise CheckpointError(f"{trained} does not say what network it is")
    model = dynamite.load(config.name, trained)
    began = read(start).state_dict
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            before = began.get(name, weight)
            if weight.is_floating_point() and before.shape == weight.shape:
                weight.lerp_(before.to(weight), 1 - TRAINED)
    save(model, out, read(trained).metadata)
    return out
