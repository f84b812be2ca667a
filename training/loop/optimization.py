"""Trained parameters, learning rates and the moving average of the weights (MODEL_SPEC 9.5)."""

import copy
import math
from collections.abc import Iterable

import torch
from torch import nn

from dynamite.network.model import DynaMITE
from training.config import ConfigError, OptimizerConfig, ScheduleConfig

BACKBONE = "backbone."
"""Prefix of the backbone's parameters."""

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)
_NO_DECAY = ("relative_position_bias_table", "instance_encoder.level_embed")
"""Suffixes of the other parameters without weight decay."""


def freeze(model: nn.Module, config: OptimizerConfig) -> None:
    """Switch off the gradients of the frozen parameters.

    Raises:
        ConfigError: a prefix matches no parameter.
    """
    for prefix in config.freeze:
        frozen = [p for name, p in model.named_parameters() if name.startswith(prefix)]
        if not frozen:
            raise ConfigError(f"optimizer.freeze: no parameter's name begins with {prefix!r}")
        for parameter in frozen:
            parameter.requires_grad_(False)
    if config.freeze_batch_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)


def train_mode(model: nn.Module, config: OptimizerConfig) -> None:
    """Switch to training mode, except frozen parts and batch norms with constant statistics."""
    model.train()
    for name, module in model.named_modules():
        frozen = any(f"{name}.".startswith(prefix) for prefix in config.freeze)
        if frozen or (config.freeze_batch_norm and isinstance(module, nn.BatchNorm2d)):
            module.eval()


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, object]]:
    """Return AdamW's groups {backbone, rest} × {decayed, not}, each with a rate ``factor``.

    Norm layers, the level embedding of the instance encoder and Swin's relative-position tables
    have no weight decay.
    """
    plain = {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, _NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = name not in plain and not name.endswith(_NO_DECAY)
            groups.setdefault((name.startswith(BACKBONE), decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "factor": config.backbone_factor if in_backbone else 1.0,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (in_backbone, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set each group's rate to its factor of ``rate``."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def rate_factor(config: ScheduleConfig, step: int, total: int) -> float:
    """Return the learning rate at ``step`` (from 0) of ``total``, as a factor of the stage's."""
    warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
    progress = min(1.0, max(0.0, step - config.warmup_steps) / max(1, total - config.warmup_steps))
    low = config.final_factor
    if config.kind == "step":
        passed = sum(step >= milestone for milestone in config.milestones)
        return warm * math.pow(0.1, passed)
    if config.kind == "cosine":
        return warm * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))
    if config.kind == "poly":
        return warm * (low + (1 - low) * math.pow(1 - progress, config.power))
    if config.kind == "trapezoid":
        return warm * max(low, min(1.0, (1 - step / total) / config.decay_share))
    return warm


class MovingAverage:
    """An exponential moving average of a model's parameters and floating-point buffers."""

    def __init__(self, model: DynaMITE, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards ``model``, faster in the first steps, so that the initial weights fade."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(_floats(self.model), _floats(model), weight)


def _floats(model: nn.Module) -> list[torch.Tensor]:
    tensors: Iterable[torch.Tensor] = model.state_dict().values()
    return [tensor for tensor in tensors if tensor.is_floating_point()]
