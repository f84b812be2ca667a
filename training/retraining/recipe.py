"""An order → the config of its training run."""

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
from training.retraining.job_spec import Order, OrderError

ROUNDS = 8
"""Up to so many rounds of corrections before the last prediction, in place of the paper's three:
people go on correcting, and later clicks must help, too. A step then takes a third longer.
"""


def recipe(order: Order, start: Path, processes: int = 1) -> TrainingConfig:
    """How to train on a snapshot, from the weights ``start``, in so many processes.

    The accepted images give 1 − ``base_ratio`` of the samples, each that is only the model's own
    answers ``unchanged_weight`` times as often as the others; the base sets share the rest. The
    processes share a step's images evenly: their number is rounded up.

    Raises:
        OrderError: nothing in the snapshot is to be trained on.
        CheckpointError: ``start`` cannot be read.
    """
    config = read(start).config
    if config is None:
        raise CheckpointError(f"{start} does not say what network it is: convert it first")
    base = order.base_ratio if order.base_sets else 0.0
    accepted = accepted_shares(order)
    shares = {str(order.snapshot / part): share * (1 - base) for part, share in accepted.items()}
    shares |= {name: base / len(order.base_sets) for name in order.base_sets}
    values: dict[str, Any] = {
        "name": f"{order.line}-{order.digest[:8]}",
        "model": {
            "preset": config.name,
            "overrides": overrides(config),
            "checkpoint": str(start.resolve()),
        },
        "data": {
            "root": str(order.base_root) if order.base_root else None,
            "on_problem": "skip",
            "sets": [{"name": name, "weight": share} for name, share in shares.items()],
            "augment": {
                "scale": scales(config, order.crop),
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
                "steps": order.steps,
                "batch": -(-order.batch // processes) * processes,
                "crop": order.crop,
                "learning_rate": order.rate,
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
            "warmup_steps": min(20, order.steps // 5),
            "decay_share": 0.4,
        },
        "compute": {"channels_last": True},
        "log": {"every_steps": 5, "checkpoint_steps": max(1, min(50, order.steps // 4))},
    }
    return from_dict(values, "the retraining config")


def scales(config: ModelConfig, crop: int) -> list[float]:
    """From how small to how large images are seen, by what just fits the crop.

    From three quarters of the size at which a square one is served to a quarter more than that of a
    long one: how the small objects of a kind look is learned of the size they will have.
    """
    served = config.resize
    return [0.75 * min(served.shortest, served.longest) / crop, 1.25 * served.longest / crop]


def accepted_shares(order: Order) -> dict[str, float]:
    """How much of the accepted samples each part of the snapshot gives; together 1."""
    weights = {
        CORRECTED: float(order.images.get(CORRECTED, 0)),
        UNCHANGED: order.images.get(UNCHANGED, 0) * order.unchanged_weight,
    }
    total = sum(weights.values())
    if not total:
        raise OrderError(
            f"nothing to train on in {order.snapshot}: {order.images} images, those accepted "
            f"unchanged weigh {order.unchanged_weight}"
        )
    return {part: weight / total for part, weight in weights.items() if weight}


def overrides(config: ModelConfig) -> dict[str, Any]:
    """In which fields a network differs from its preset."""
    usual = preset(config.name)
    return {
        one.name: getattr(config, one.name)
        for one in fields(config)
        if getattr(config, one.name) != getattr(usual, one.name)
    }
