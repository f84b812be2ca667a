"""``dynamite train``: the command lives with the loop, for torchrun starts it there too."""

from training.train import train

__all__ = ["train"]
