"""``dynamite train``: defined in ``training.train``, where torchrun finds it too."""

from training.train import train

__all__ = ["train"]
