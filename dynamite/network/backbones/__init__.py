"""Backbones: an image in, four feature maps of strides 4, 8, 16 and 32 out (MODEL_SPEC 3)."""

from dynamite.errors import InvalidInputError
from dynamite.network.backbones.base import Backbone, Maps
from dynamite.network.backbones.swin import SWINS, SwinTransformer
from dynamite.network.backbones.trunks import TRUNKS, Trunk

__all__ = ["BACKBONES", "Backbone", "Maps", "build_backbone"]

BACKBONES: tuple[str, ...] = (*SWINS, *TRUNKS)
"""Names that ``build_backbone`` knows."""


def build_backbone(
    name: str, *, drop_path_rate: float | None = None, frozen_norm: bool = False
) -> Backbone:
    """Build a backbone with random weights; nothing is downloaded.

    Args:
        name: One of ``BACKBONES``.
        drop_path_rate: Probability of skipping the last block in training; earlier blocks are
            skipped less. ``None`` means the published value (MODEL_SPEC 3).
        frozen_norm: Keep batch norms as they are in training, for batches of a few images. The
            published ``resnet50`` always does; Swin and SegFormer have none.

    Raises:
        InvalidInputError: unknown name.
    """
    if name in SWINS:
        return SwinTransformer(SWINS[name], drop_path_rate=drop_path_rate)
    if name in TRUNKS:
        return Trunk(TRUNKS[name], drop_path_rate=drop_path_rate, frozen_norm=frozen_norm)
    raise InvalidInputError(f"unknown backbone {name!r}: choose one of {', '.join(BACKBONES)}")
