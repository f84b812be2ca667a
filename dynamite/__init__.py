"""DynaMITE: clicks on all objects of an image become all their masks, together.

Everything public is named here and loaded on first use, so that ``import dynamite`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamite.clicks import Click, ClickSet
    from dynamite.config import ModelConfig
    from dynamite.errors import CheckpointError, DynamiteError, InvalidInputError
    from dynamite.features import ImageFeatures
    from dynamite.loading import load, load_file
    from dynamite.predictor import Predictor, Segmentation

_HOMES = {
    "CheckpointError": "errors",
    "Click": "clicks",
    "ClickSet": "clicks",
    "DynamiteError": "errors",
    "ImageFeatures": "features",
    "InvalidInputError": "errors",
    "ModelConfig": "config",
    "Predictor": "predictor",
    "Segmentation": "predictor",
    "load": "loading",
    "load_file": "loading",
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
