"""DynaMITE: clicks on all objects of an image become all their masks, together.

Everything public is named here and loaded on first use, so that ``import dynamite`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamite.checkpoints.loading import load, load_file
    from dynamite.clicks import Click, ClickSet
    from dynamite.errors import CheckpointError, DynamiteError, InvalidInputError
    from dynamite.network.config import ModelConfig
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.predictor import Predictor, Segmentation

_HOMES = {
    "CheckpointError": "errors",
    "Click": "clicks",
    "ClickSet": "clicks",
    "DynamiteError": "errors",
    "ImageFeatures": "predict.features",
    "InvalidInputError": "errors",
    "ModelConfig": "network.config",
    "Predictor": "predict.predictor",
    "Segmentation": "predict.predictor",
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
    "load",
    "load_file",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynamite' has no attribute {name!r}")
    return getattr(import_module(f"dynamite.{_HOMES[name]}"), name)
