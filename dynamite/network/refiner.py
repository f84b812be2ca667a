"""The refiner: small convolutions that redraw each object, seeing its mask and its clicks.

Not in the paper (docs/network.md, 8). In the paper's network a click acts through its query only,
and a mask is an inner product with features that know no click: after some clicks on an object,
further ones change little. Here each object's mask, its clicks and the clicks against it are maps
beside the features, as in networks for one object (RITM, FocalClick). The refiner also sees the
image, and draws at stride 2: on an object of 30 pixels, most errors at stride 4 lie where its
border crosses a cell.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_shuffle, pixel_unshuffle

from dynamite.network.logit_margins import best_other, best_two, merge_queries
from dynamite.network.refiner_boxes import Box, group_boxes, object_boxes

DILATIONS = (1, 2, 4, 2, 1)

BOX_MARGIN = sum(DILATIONS) + 2
"""Cells around an object in its box: the reach of the convolutions, and a little more."""

UPSCALE = 2
"""Output cells per input cell along each axis."""

SPOT_SIGMAS = (1.5, 6.0)
"""Standard deviations, in cells, of the Gaussian spots that mark a click."""

_HINT_CHANNELS = 1 + 2 * len(SPOT_SIGMAS)  # the mask, spots of its own clicks, spots of others'
_MARGIN_SCALE = 4.0  # logits; margins pass tanh(margin / scale)


class Refiner(nn.Module):
    """Redraws each object in its box, from the image, its features, the mask and the clicks."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        first, *others = DILATIONS
        edges = -(-channels // 2)
        self.edges = nn.Conv2d(3, edges, 3, stride=2, padding=1)
        self.from_edges = nn.Conv2d(4 * edges, channels, 3, padding=1, bias=False)
        self.reduce = nn.Conv2d(features, channels, 1)
        self.from_features = nn.Conv2d(channels, channels, 3, padding=first, bias=False)
        self.from_hints = nn.Conv2d(_HINT_CHANNELS, channels, 3, padding=first)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
            for dilation in others
        )
        self.change = nn.Conv2d(channels, UPSCALE**2, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)  # type: ignore[arg-type]

    def detail(self, images_B3HW: Tensor, mask_features_BChw: Tensor) -> Tensor:
        """Return the image's share of the first layer (B, D, h, w), made once for all clicks.

        A cell keeps the edges of its four quarters in separate channels.

        Args:
            images_B3HW: normalized, padded.
            mask_features_BChw: at stride 4, without coordinates.
        """
        edges = pixel_unshuffle(self.edges(images_B3HW).relu_(), 2)
        return self.from_edges(edges) + self.from_features(  # type: ignore[no-any-return]
            self.reduce(mask_features_BChw)
        )

    def forward(
        self, detail_Dhw: Tensor, logits_Qhw: Tensor, owners_Q: Tensor, coords_K2: Tensor
    ) -> Tensor:
        """Return the maps of one image's objects and, last, of its background (N + 1, 2h, 2w).

        Args:
            detail_Dhw: from ``detail``, of this image.
            logits_Qhw: at stride 4; the queries of the clicks come first.
            owners_Q: object index of each query, −1 for the background.
            coords_K2: (y, x) of the clicks in cells of the logits.
        """
        height, width = logits_Qhw.shape[1:]
        owners_K = owners_Q[: len(coords_K2)]
        counts = torch.bincount(owners_K + 1)[1:].tolist()
        maps_Nhw = merge_queries(logits_Qhw, counts)
        leaders = best_hw, second_hw = best_two(maps_Nhw)
        with torch.no_grad():
            masks_Nhw = (maps_Nhw[:-1] >= best_hw) & (best_hw > second_hw)
            boxes = list(object_boxes(masks_Nhw, coords_K2, owners_K, BOX_MARGIN))
            spots_NShw = _click_spots(coords_K2, counts, height, width)
            nearest = best_two(spots_NShw)

        def hints(index: int, box: Box) -> Tensor:
            map_hw, own_Shw = maps_Nhw[index, *box], spots_NShw[index, :, *box]
            margin_hw = map_hw - best_other(map_hw, *(one[box] for one in leaders))
            against_Shw = best_other(own_Shw, *(one[:, *box] for one in nearest))
            return torch.cat((torch.tanh(margin_hw[None] / _MARGIN_SCALE), own_Shw, against_Shw))

        refined_Nhw: Tensor = interpolate(
            maps_Nhw[None], scale_factor=UPSCALE, mode="bilinear", align_corners=False
        )[0]
        for group in group_boxes(boxes):
            changes_Bhw = self._changes(
                [hints(index, boxes[index]) for index in group],
                [detail_Dhw[:, *boxes[index]] for index in group],
            )
            for index, change_hw in zip(group, changes_Bhw, strict=True):
                rows, columns = map(_upscaled, boxes[index])
                inside_hw = change_hw[: rows.stop - rows.start, : columns.stop - columns.start]
                # Not +=: the backward pass would then copy all maps once more each time.
                refined_Nhw[index, rows, columns].add_(inside_hw)
        return refined_Nhw

    def _changes(self, hints: Sequence[Tensor], details: Sequence[Tensor]) -> Tensor:
        """Return what is added to each of B objects in its box, padded to one size: (B, 2h, 2w).

        Args:
            hints: of each object, (H, h, w) in its box.
            details: the same of the image, (D, h, w).
        """
        sizes = [tuple(one.shape[1:]) for one in hints]
        height, width = (max(lengths) for lengths in zip(*sizes, strict=True))

        def stacked(maps: Sequence[Tensor]) -> Tensor:
            padded = [
                one if own == (height, width) else pad(one, (0, width - own[1], 0, height - own[0]))
                for one, own in zip(maps, sizes, strict=True)
            ]
            # Channels last: dilated convolutions then take a fifth of the time on a CPU.
            return torch.stack(padded).contiguous(memory_format=torch.channels_last)

        hidden = (self.from_hints(stacked(hints)) + stacked(details)).relu_()
        # Padding is zeroed before each layer, so that each object is redrawn as if it were alone.
        inside_B1hw = None
        if len(set(sizes)) > 1:
            inside_B1hw = stacked([hidden.new_ones(1, *size) for size in sizes])
        for convolution in self.convolutions:
            if inside_B1hw is not None:
                hidden = hidden * inside_B1hw
            hidden = convolution(hidden).relu_()
        changes: Tensor = pixel_shuffle(self.change(hidden), UPSCALE)
        return changes[:, 0]


def _upscaled(cells: slice) -> slice:
    return slice(UPSCALE * cells.start, UPSCALE * cells.stop)


def _click_spots(coords_K2: Tensor, counts: Sequence[int], height: int, width: int) -> Tensor:
    """Return spots, 1 at a click, of each object and, last, the background: (N + 1, S, h, w).

    Args:
        coords_K2: (y, x) in cells, in query order.
        counts: number of clicks of each object.
        height, width: cells.
    """
    device = coords_K2.device
    y = torch.arange(height, device=device) + 0.5
    x = torch.arange(width, device=device) + 0.5
    scale_S11 = -0.5 / torch.tensor(SPOT_SIGMAS, device=device).square()[:, None, None]
    down_SKh = ((y - coords_K2[:, :1]).square() * scale_S11).exp()
    across_SKw = ((x - coords_K2[:, 1:]).square() * scale_S11).exp()
    groups = [*counts, len(coords_K2) - sum(counts)]
    spots = []
    for down, across in zip(down_SKh.split(groups, 1), across_SKw.split(groups, 1), strict=True):
        if down.shape[1]:
            spots.append((down[..., None] * across[:, :, None]).amax(1))
        else:
            spots.append(across.new_zeros(len(SPOT_SIGMAS), height, width))
    return torch.stack(spots)
