"""The config of a training run, made from a retraining request."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from dynamite.checkpoints.checkpoint import read
from dynamite.errors import CheckpointError
from dynamite.network.backbones.specs import BACKBONES
from dynamite.network.config import ModelConfig, preset
from training.annotation_store import CORRECTED, UNCHANGED
from training.config import TrainingConfig
from training.config_files import from_dict
from training.retraining.request import RequestError, RetrainingRequest

ROUNDS = 8
"""Most rounds of corrections before the last prediction, instead of the paper's three.

People correct more often than that, and later clicks must help, too. A step takes a third longer.
"""


def recipe(request: RetrainingRequest, start: Path, processes: int = 1) -> TrainingConfig:
    """Return how to train on a snapshot, from the weights ``start``, in ``processes`` processes.

    The accepted images give 1 − ``train_base_ratio`` of the samples; those accepted unchanged come
    ``unchanged_weight`` times as often as the others. The base sets share the rest. The processes
    share a step's images evenly, so ``train_batch`` is rounded up.

    Raises:
        RequestError: the snapshot holds nothing to train on.
        CheckpointError: ``start`` cannot be read.
    """
    config = read(start).config
    if config is None:
        raise CheckpointError(f"{start} does not say what network it is: convert it first")
    options = request.options
    base_sets = options.train_base_sets
    base = options.train_base_ratio if base_sets else 0.0
    accepted = accepted_shares(request)
    shares = {str(request.snapshot / part): share * (1 - base) for part, share in accepted.items()}
    shares |= {name: base / len(base_sets) for name in base_sets}
    values: dict[str, Any] = {
        "name": f"{request.line}-{request.digest[:8]}",
        "model": {
            "preset": config.name,
            "overrides": overrides(config),
            "checkpoint": str(start.resolve()),
        },
        "data": {
            "root": str(options.train_base_root) if options.train_base_root else None,
            "on_problem": "skip",
            "sets": [{"name": name, "weight": share} for name, share in shares.items()],
            "augment": {
                "scale": scales(config, options.train_crop),
                "object_probability": 0.3,
                "min_area": 15,
                "min_visible_area": 30,
                "max_objects": 20,
                "keep_all_probability": 0.5,
                "few_probability": 0.5,
            },
        },
        "stages": [
            {
                "steps": options.train_steps,
                "batch": -(-options.train_batch // processes) * processes,
                "crop": options.train_crop,
                "learning_rate": options.train_rate,
            }
        ],
        "max_rounds": ROUNDS,
        "supervised_rounds": "all",
        "loss": {"points": 2048, "near": 0.5, "margins": bool(config.refiner_channels)},
        "optimizer": {
            "clip_norm": 1.0,
            "backbone_factor": 0.25,
            "freeze_batch_norm": True,
            "freeze": BACKBONES[config.backbone].early_parameters,
            "ema_decay": 0.99,
        },
        "schedule": {
            "kind": "trapezoid",
            "warmup_steps": min(20, options.train_steps // 5),
            "decay_share": 0.4,
        },
        "compute": {"channels_last": True},
        "log": {"every_steps": 5, "checkpoint_steps": max(1, min(50, options.train_steps // 4))},
    }
    return from_dict(values, "the retraining config")


def scales(config: ModelConfig, crop: int) -> list[float]:
    """Return the smallest and the largest scale of augmentation, relative to fitting the crop.

    From three quarters of the size at which a square image is served to a quarter more than that of
    a long one: small objects are learned at about the size at which they will be served.
    """
    served = config.resize
    return [0.75 * min(served.shortest, served.longest) / crop, 1.25 * served.longest / crop]


def accepted_shares(request: RetrainingRequest) -> dict[str, float]:
    """Return the share of the accepted samples that each part of the snapshot gives; the sum is 1.

    Raises:
        RequestError: no part has a share.
    """
    weights = {
        CORRECTED: float(request.images.get(CORRECTED, 0)),
        UNCHANGED: request.images.get(UNCHANGED, 0) * request.options.unchanged_weight,
    }
    total = sum(weights.values())
    if not total:
        raise RequestError(
            f"nothing to train on in {request.snapshot}: {request.images} images, those accepted "
            f"unchanged weigh {request.options.unchanged_weight}"
        )
    return {part: weight / total for part, weight in weights.items() if weight}


def overrides(config: ModelConfig) -> dict[str, Any]:
    """Return the fields in which a network differs from its preset."""
    usual = preset(config.name)
    return {
        one.name: getattr(config, one.name)
        for one in fields(config)
        if getattr(config, one.name) != getattr(usual, one.name)
    }
