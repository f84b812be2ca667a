"""Builds a backbone by its name."""

from dynamite.errors import InvalidInputError
from dynamite.network.backbones.base import Backbone
from dynamite.network.backbones.specs import BACKBONES, SwinSpec
from dynamite.network.backbones.swin import SwinTransformer
from dynamite.network.backbones.timm_backbone import TimmBackbone


def build_backbone(
    name: str, *, drop_path_rate: float | None = None, frozen_norm: bool = False
) -> Backbone:
    """Return a backbone with random weights; nothing is downloaded.

    Args:
        name: one of ``BACKBONES``.
        drop_path_rate: probability of skipping the last block in training; earlier blocks are
            skipped less. None means the published value.
        frozen_norm: keep batch norms fixed in training, for batches of a few images. The published
            ``resnet50`` always does; Swin and SegFormer have none.

    Raises:
        InvalidInputError: there is no backbone of that name.
    """
    if name not in BACKBONES:
        raise InvalidInputError(f"unknown backbone {name!r}: choose one of {', '.join(BACKBONES)}")
    spec = BACKBONES[name]
    if isinstance(spec, SwinSpec):
        return SwinTransformer(spec, drop_path_rate=drop_path_rate)
    return TimmBackbone(spec, drop_path_rate=drop_path_rate, frozen_norm=frozen_norm)
