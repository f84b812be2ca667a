"""Mask losses on sampled points, for all objects, images and predictions at once.

There is no matching: an object's clicks say which queries are its own (docs/network.md, 10). L
predictions (the final one last), B images, Q queries, M maps (objects and one background, of all
images), P points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dynamite.network.logit_margins import logit_margins, merge_queries
from training.config import LossConfig

BACKGROUND = -1
IGNORED = -2
"""Label of pixels that are neither object nor background, padding among them."""
_OUTSIDE = -3


@dataclass(frozen=True)
class MapIndex:
    """The ``image`` and the ``label`` (−1 the background) of each of the M maps."""

    image: Tensor
    label: Tensor

    @classmethod
    def of(cls, objects: Sequence[int], device: torch.device) -> "MapIndex":
        """For images with these numbers of objects; the background's map comes last in each."""
        images = [b for b, n in enumerate(objects) for _ in range(n + 1)]
        labels = [label for n in objects for label in (*range(n), BACKGROUND)]
        return cls(torch.tensor(images, device=device), torch.tensor(labels, device=device))

    def __len__(self) -> int:
        return len(self.label)


def merge_images(logits_BQhw: Tensor, clicks: Sequence[Sequence[int]]) -> Tensor:
    """Logits of each object and of the background of all images (``merge_queries``).

    Args:
        logits_BQhw: query logits in query order (docs/network.md, 5).
        clicks: for each image the number of clicks on each object.

    Returns:
        Mhw, maps in the order of ``MapIndex``.
    """
    images = zip(logits_BQhw, clicks, strict=True)
    return torch.cat([merge_queries(logits, counts) for logits, counts in images])


def label_maps(maps: Sequence[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """The label map of each image, as in docs/network.md, 7, but merged before resizing.

    Merging first resizes a handful of maps instead of one for each click. A few pixels at the seam
    of two clicks of an object can differ, since a maximum and a resizing do not commute.

    Args:
        maps: of each image those of its objects and, last, of the background (N + 1, h, w).
        size: of the label maps, (H, W).
    """
    result = []
    for maps_Nhw in maps:
        full = functional.interpolate(
            maps_Nhw[None].float(), size, mode="bilinear", align_corners=False
        )
        label_HW = full[0].max(0).indices  # argmax over the first dimension is ten times slower
        result.append(label_HW.masked_fill_(label_HW == len(maps_Nhw) - 1, BACKGROUND))
    return result


def sample_logits(maps_Mhw: Tensor, points_MP2: Tensor) -> Tensor:
    """Bilinear values MP at points (x, y) in 0..1, zero outside, half-pixel convention."""
    return functional.grid_sample(
        maps_Mhw[:, None], points_MP2[:, None] * 2 - 1, mode="bilinear", align_corners=False
    )[:, 0, 0]


def sample_targets(labels_BHW: Tensor, index: MapIndex, points_LMP2: Tensor) -> tuple[Tensor, ...]:
    """Bilinear samples of each map's binary mask, straight from the label maps.

    Returns:
        target LMP in 0..1 and weight LMP, 0 where one of the four pixels is ignored.
    """
    height, width = labels_BHW.shape[1:]
    # A border of no label at all stands for the zeros outside, and every index is valid.
    flat = functional.pad(labels_BHW, (1, 1, 1, 1), value=_OUTSIDE).reshape(-1)
    row = width + 2
    offset_M1 = (index.image * (row * (height + 2)) + row + 1)[:, None]
    label_M1 = index.label[:, None].to(labels_BHW.dtype)
    x_LMP = points_LMP2[..., 0] * width - 0.5
    y_LMP = points_LMP2[..., 1] * height - 0.5
    left, top = x_LMP.floor(), y_LMP.floor()
    right_share, bottom_share = x_LMP.sub_(left), y_LMP.sub_(top)
    corner = top.long().mul_(row).add_(left.long()).add_(offset_M1)
    labels = [flat[corner + step] for step in (0, 1, row, row + 1)]
    is_target = [(label == label_M1).to(x_LMP.dtype) for label in labels]
    upper = torch.lerp(is_target[0], is_target[1], right_share)
    lower = torch.lerp(is_target[2], is_target[3], right_share)
    target = torch.lerp(upper, lower, bottom_share)
    if not _any_ignored(labels_BHW):
        return target, torch.ones_like(target)
    ignored = torch.stack([label == IGNORED for label in labels]).any(0)
    return target, (~ignored).to(target.dtype)


def _any_ignored(labels_BHW: Tensor) -> bool:
    return bool((labels_BHW == IGNORED).any())


def sample_layers(layers: Sequence[Tensor], points_LMP2: Tensor) -> Tensor:
    """``sample_logits`` of each prediction's maps (Mhw, of any size) at its own points: LMP."""
    return torch.stack(
        [sample_logits(maps, points) for maps, points in zip(layers, points_LMP2, strict=True)]
    )


@torch.no_grad()
def choose_points(
    layers: Sequence[Tensor],
    labels_BHW: Tensor,
    index: MapIndex,
    config: LossConfig,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Points LMP2 (x, y in 0..1), most of them where the logits are least sure.

    Of ``oversample``·P candidates the ``importance`` share of P nearest to logit 0 is kept, ignored
    pixels last; the rest is drawn anew. The ``near`` share of what is drawn falls around the map's
    object, all else anywhere. Each image draws from its own generator.
    """
    chosen = int(config.importance * config.points)
    candidates = int(config.oversample * config.points)
    maps_per_image = torch.bincount(index.image, minlength=len(generators)).tolist()
    around = neighbourhoods(labels_BHW, index) if config.near else None

    def draw(count: int) -> Tensor:
        draws = [
            torch.rand(len(layers), n, count, 2, generator=generator, device=labels_BHW.device)
            for n, generator in zip(maps_per_image, generators, strict=True)
        ]
        points = torch.cat(draws, dim=1)
        if around is not None:
            corner_M12, size_M12 = around
            points[:, :, : int(config.near * count)].mul_(size_M12).add_(corner_M12)
        return points

    points = draw(candidates)
    unsure = sample_layers(layers, points).abs()
    if _any_ignored(labels_BHW):
        height, width = labels_BHW.shape[1:]
        column = (points[..., 0] * width).long().clamp_(max=width - 1)
        row = (points[..., 1] * height).long().clamp_(max=height - 1)
        label = labels_BHW.reshape(-1)[
            column + row * width + (index.image * (height * width))[:, None]
        ]
        unsure.masked_fill_(label == IGNORED, torch.inf)
    best = unsure.topk(chosen, dim=2, largest=False, sorted=False).indices
    nearest = points.gather(2, best[..., None].expand(-1, -1, -1, 2))
    return torch.cat((nearest, draw(config.points - chosen)), dim=2)


def neighbourhoods(labels_BHW: Tensor, index: MapIndex) -> tuple[Tensor, Tensor]:
    """Where each map's object is, with as much again around it as it is large, in 0…1 of the image.

    Returns:
        corner and size (x, y) of the boxes, M×1×2 each; the whole image for the background and for
        what has no pixel.
    """
    height, width = labels_BHW.shape[1:]
    mask_MHW = labels_BHW[index.image] == index.label[:, None, None]
    spans = []
    for along_MX, length in ((mask_MHW.any(1), width), (mask_MHW.any(2), height)):
        place_X = torch.arange(length, device=labels_BHW.device)
        low_M = torch.where(along_MX, place_X, length).amin(1)
        high_M = torch.where(along_MX, place_X + 1, 0).amax(1)
        nowhere_M = (high_M == 0) | (index.label < 0)
        margin_M = (high_M - low_M) / 2
        low_M = (low_M - margin_M).clamp(min=0).masked_fill(nowhere_M, 0)
        high_M = (high_M + margin_M).clamp(max=length).masked_fill(nowhere_M, length)
        spans.append((low_M / length, (high_M - low_M) / length))
    (left_M, width_M), (top_M, height_M) = spans
    corner_M2 = torch.stack((left_M, top_M), dim=1)
    return corner_M2[:, None], torch.stack((width_M, height_M), dim=1)[:, None]


def point_losses(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Binary cross-entropy and dice of each map, over its counted points (all …P → …)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    mask = (entropy * weight).sum(-1) / weight.sum(-1).clamp(min=1)
    probability = logits.sigmoid() * weight
    target = target * weight
    overlap = (probability * target).sum(-1)
    dice = 1 - (2 * overlap + 1) / (probability.sum(-1) + target.sum(-1) + 1)
    return mask, dice


@dataclass(frozen=True)
class Losses:
    """``total`` to minimise; of the final prediction, the unweighted ``mask`` and ``dice``."""

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
    """The weighted sum over all predictions, the final one last.

    Args:
        layers: the maps Mhw of every supervised prediction, in the order of ``MapIndex``.
        objects: how many each image has.
        labels_BHW: int, object index, −1 background, −2 ignored.
        config: points and weights.
        generators: one for each image, on the labels' device.
        maps: N of docs/network.md, 10: objects + 1 of all images, averaged over processes.
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
    norm = maps.clamp(min=1)
    mask_L, dice_L = mask_LM.sum(1) / norm, dice_LM.sum(1) / norm
    layer_weight = torch.full_like(mask_L, config.auxiliary_weight)
    layer_weight[-1] = 1
    weighted = config.mask_weight * mask_L + config.dice_weight * dice_L
    return Losses((layer_weight * weighted).sum(), mask_L[-1].detach(), dice_L[-1].detach())
