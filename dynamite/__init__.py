"""DynaMITE: from clicks on all objects of an image to all their masks, jointly.

All public names are here. Each is loaded on first use, so that ``import dynamite`` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamite.checkpoints.loading import load, load_file
    from dynamite.clicks import Click, ClickSet
    from dynamite.errors import CheckpointError, DynamiteError, InvalidInputError
    from dynamite.network.config import ModelConfig
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.hold_still import Shown
    from dynamite.predict.predictor import Predictor, Segmentation

_MODULES = {
    "CheckpointError": "errors",
    "Click": "clicks",
    "ClickSet": "clicks",
    "DynamiteError": "errors",
    "ImageFeatures": "predict.features",
    "InvalidInputError": "errors",
    "ModelConfig": "network.config",
    "Predictor": "predict.predictor",
    "Segmentation": "predict.predictor",
    "Shown": "predict.hold_still",
    "load": "checkpoints.loading",
    "load_file": "checkpoints.loading",
}

__all__ = [
    "CheckpointError",
    "Click",
    "ClickSet",
    "DynamiteError",
    "ImageFeatures",
    "InvalidInputError",
    "ModelConfig",
    "Predictor",
    "Segmentation",
    "Shown",
    "load",
    "load_file",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'dynamite' has no attribute {name!r}")
    return getattr(import_module(f"dynamite.{_MODULES[name]}"), name)
