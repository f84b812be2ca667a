"""Blends trained weights with the weights they started from: most of the gain, less forgetting."""

from pathlib import Path

import torch

import dynamite
from dynamite.checkpoints.checkpoint import read, save

TRAINED = 0.7
"""Share of the trained weights in the blend: 0.7 × trained + 0.3 × start.

On images of the new kind the blend costs next to nothing, on others it restores half or more of
what was forgotten (docs/retraining-results.md). Wortsman et al., "Robust fine-tuning of zero-shot
models", 2022.
"""


def blend(start: Path, trained: Path, out: Path) -> Path:
    """Write the weighted mean of two networks to ``out``, with the config of ``trained``.

    A part whose weights differ in name or shape (another refiner, say) is kept as trained.

    Raises:
        CheckpointError: one of the files cannot be read, or does not say what network it is.
    """
    model = dynamite.load_file(trained)
    after, before = read(trained), read(start)
    weights = model.state_dict()
    began = before.state_dict
    other = {
        _part(name)
        for name in weights.keys() | began.keys()
        if name not in weights or name not in began or weights[name].shape != began[name].shape
    }
    with torch.no_grad():
        for name, weight in weights.items():
            if weight.is_floating_point() and _part(name) not in other:
                weight.lerp_(began[name].to(weight), 1 - TRAINED)
    told = {"blended": {"with": before.version, "trained": TRAINED}}
    save(model, out, after.metadata | told)
    return out


def _part(name: str) -> str:
    return name.split(".", 1)[0]
