"""Imports timm on machines where torchvision's compiled operators cannot be loaded."""

import importlib
import sys
from functools import cache
from threading import Lock
from typing import Any

import torch

_lock = Lock()


def import_timm() -> Any:
    """Import and return ``timm``, which needs an importable torchvision.

    A torchvision built for CUDA beside a CPU build of torch fails on import, because its operators
    ``nms`` and ``qnms`` are missing. No backbone uses them: declaring their names is enough.
    """
    with _lock:
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            _declare_operators()
            _forget_torchvision()
        return importlib.import_module("timm")


@cache  # the declarations live as long as the library object
def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)
    return library


def _forget_torchvision() -> None:
    """Remove what the failed import left behind, so that the next one starts from scratch."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
