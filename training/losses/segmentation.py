"""The mask losses of all objects, images and predictions at once (docs/network.md, 10).

No matching is needed: an object's clicks say which queries are its own. L predictions (the final
one last), B images, M maps (``training.losses.object_maps``), P points.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dynamite.network.logit_margins import logit_margins
from training.config import LossConfig
from training.losses.object_maps import BACKGROUND, MapIndex
from training.losses.point_sampling import choose_points, sample_layers, sample_targets

SMALL, LARGE = 32, 96
"""Sides in pixels up to which an object is small, and from which it is large, as COCO has it."""


def point_losses(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Compute binary cross-entropy and dice loss of each map over the points with weight 1.

    Args:
        logits: …P.
        target: …P in 0…1.
        weight: …P, 0 or 1.

    Returns:
        Cross-entropy and dice loss, both of shape ….
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    mask = (entropy * weight).sum(-1) / weight.sum(-1).clamp(min=1)
    probability = logits.sigmoid() * weight
    target = target * weight
    overlap = (probability * target).sum(-1)
    dice = 1 - (2 * overlap + 1) / (probability.sum(-1) + target.sum(-1) + 1)
    return mask, dice


def size_weights(index: MapIndex, labels_BHW: Tensor, small_objects: float) -> Tensor:
    """Return the weight of each map's losses, M: ``small_objects`` to 1, and 1 for the background.

    It falls with the logarithm of the object's side, between ``SMALL`` and ``LARGE``.
    """
    if small_objects == 1:
        return torch.ones(len(index), device=labels_BHW.device)
    side_M = index.areas(labels_BHW).clamp(min=1).sqrt()
    share_M = ((side_M / SMALL).log() / math.log(LARGE / SMALL)).clamp(0, 1)
    weight_M = small_objects + (1 - small_objects) * share_M
    return weight_M.masked_fill(index.label == BACKGROUND, 1)


@dataclass(frozen=True)
class Losses:
    """``total`` is the loss to minimise.

    ``mask`` (cross-entropy) and ``dice`` are the unweighted parts of the final prediction.
    """

    total: Tensor
    mask: Tensor
    dice: Tensor


def segmentation_losses(
    layers: Sequence[Tensor],
    objects: Sequence[int],
    labels_BHW: Tensor,
    config: LossConfig,
    generators: Sequence[torch.Generator],
    *,
    maps: Tensor,
) -> Losses:
    """Compute the weighted sum of the losses of all predictions.

    Args:
        layers: the maps Mhw of each supervised prediction, the final one last, in the order of
            ``MapIndex``.
        objects: number of objects of each image.
        labels_BHW: int, object index, −1 background, −2 ignored.
        config: the points and the weights of the losses.
        generators: one per image, on the device of the labels.
        maps: the normalizer N of docs/network.md, 10, a scalar: the number of maps of all images,
            averaged over processes.
    """
    *auxiliary, final_Mhw = layers
    index = MapIndex.of(objects, final_Mhw.device)
    if config.margins:
        images = torch.split(final_Mhw, [number + 1 for number in objects])
        final_Mhw = torch.cat([logit_margins(maps_Nhw) for maps_Nhw in images])
    layers = (*auxiliary, final_Mhw)
    points = choose_points(layers, labels_BHW, index, config, generators)
    target, weight = sample_targets(labels_BHW, index, points)
    mask_LM, dice_LM = point_losses(sample_layers(layers, points), target, weight)
    weight_M = size_weights(index, labels_BHW, config.small_objects)
    mask_LM, dice_LM = mask_LM * weight_M, dice_LM * weight_M
    norm = maps.clamp(min=1)
    mask_L, dice_L = mask_LM.sum(1) / norm, dice_LM.sum(1) / norm
    layer_weight = torch.full_like(mask_L, config.auxiliary_weight)
    layer_weight[-1] = 1
    weighted = config.mask_weight * mask_L + config.dice_weight * dice_L
    return Losses((layer_weight * weighted).sum(), mask_L[-1].detach(), dice_L[-1].detach())
