"""Sampling of logits and targets at points, and the choice of those points.

L predictions, B images, M maps, P points. Points are (x, y) in 0…1 of the image.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.config import LossConfig
from training.losses.object_maps import IGNORED, MapIndex

_OUTSIDE = -3
"""Label of the border around the label maps: neither an object, background nor ignored."""


def sample_logits(maps_Mhw: Tensor, points_MP2: Tensor) -> Tensor:
    """Sample maps bilinearly at points; MP, zero outside, half-pixel convention."""
    return functional.grid_sample(
        maps_Mhw[:, None], points_MP2[:, None] * 2 - 1, mode="bilinear", align_corners=False
    )[:, 0, 0]


def sample_targets(labels_BHW: Tensor, index: MapIndex, points_LMP2: Tensor) -> tuple[Tensor, ...]:
    """Sample each map's binary mask bilinearly, directly from the label maps.

    Args:
        labels_BHW: int, object index, −1 background, −2 ignored.
        index: image and label of each map.
        points_LMP2: points of each prediction and map.

    Returns:
        Targets LMP in 0…1, and weights LMP: 0 where one of the four pixels is ignored, else 1.
    """
    height, width = labels_BHW.shape[1:]
    # A border without a label gives the zeros outside and keeps every index valid.
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
    """Sample each prediction's maps (Mhw, of any size) at its own points; LMP."""
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
    """Choose points, most of them where the logits are least certain.

    Of ``oversample``·P candidates, the ``importance``·P nearest to logit 0 are kept, ignored pixels
    last. The other points are drawn separately. The ``near`` share of all drawn points falls around
    the map's object, the rest anywhere. Each image draws from its own generator.

    Args:
        layers: the maps Mhw of each prediction.
        labels_BHW: int, object index, −1 background, −2 ignored.
        index: image and label of each map.
        config: number of points P and the shares.
        generators: one per image, on the device of the labels.

    Returns:
        Points LMP2.
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
    certainty = sample_layers(layers, points).abs()
    if _any_ignored(labels_BHW):
        height, width = labels_BHW.shape[1:]
        column = (points[..., 0] * width).long().clamp_(max=width - 1)
        row = (points[..., 1] * height).long().clamp_(max=height - 1)
        label = labels_BHW.reshape(-1)[
            column + row * width + (index.image * (height * width))[:, None]
        ]
        certainty.masked_fill_(label == IGNORED, torch.inf)
    least = certainty.topk(chosen, dim=2, largest=False, sorted=False).indices
    nearest = points.gather(2, least[..., None].expand(-1, -1, -1, 2))
    return torch.cat((nearest, draw(config.points - chosen)), dim=2)


def neighbourhoods(labels_BHW: Tensor, index: MapIndex) -> tuple[Tensor, Tensor]:
    """Return each object's box, enlarged by half its size on every side and cut to the image.

    Returns:
        Corners and sizes (x, y) of the boxes in 0…1 of the image, M×1×2 each. The background, and
        an object without a pixel, have the whole image.
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
