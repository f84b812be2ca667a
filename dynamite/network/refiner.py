"""A second look at each object, close up: small convolutions that see the clicks themselves.

The paper's network tells of a click only through its query, and a mask is an inner product with
features that know no click: after some clicks on an object, further ones change little. Here each
object's mask, its clicks and those against it are maps beside the features, as in networks for one
object (RITM, FocalClick), and what is left to mend is mended where it is. It sees the image itself,
too, and draws on half the cells: of an object of 30 pixels, most of what stride 4 gets wrong is
where its border lies within a cell. Ours, not the paper's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_shuffle, pixel_unshuffle

from dynamite.network.logit_margins import margins, merge_queries
from dynamite.network.refiner_boxes import Box, box_size, boxes_around, in_batches

DILATIONS = (1, 2, 4, 2, 1)

MARGIN = sum(DILATIONS) + 2
"""Cells around an object that are looked at: as far as convolutions see, and a little more."""

FINER = 2
"""Cells of what it gives for one of what it gets, along each axis."""

SPREADS = (1.5, 6.0)
"""Standard deviations, in cells, of the spots that stand for a click."""

_HINTS = 1 + 2 * len(SPREADS)
_SOFT = 4.0


class Refiner(nn.Module):
    """Redraws each object around it, by the image, its features, its mask and the clicks."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        first, *others = DILATIONS
        edges = -(-channels // 2)
        self.edges = nn.Conv2d(3, edges, 3, stride=2, padding=1)
        self.from_edges = nn.Conv2d(4 * edges, channels, 3, padding=1, bias=False)
        self.reduce = nn.Conv2d(features, channels, 1)
        self.from_features = nn.Conv2d(channels, channels, 3, padding=first, bias=False)
        self.from_hints = nn.Conv2d(_HINTS, channels, 3, padding=first)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
            for dilation in others
        )
        self.change = nn.Conv2d(channels, FINER**2, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)  # type: ignore[arg-type]

    def detail(self, images_B3HW: Tensor, mask_features_BChw: Tensor) -> Tensor:
        """What the image alone says, once for all clicks: the first layer's share of it.

        Every cell keeps the edges of its four quarters apart.
        """
        edges = pixel_unshuffle(self.edges(images_B3HW).relu_(), 2)
        return self.from_edges(edges) + self.from_features(  # type: ignore[no-any-return]
            self.reduce(mask_features_BChw)
        )

    def forward(
        self, detail_Dhw: Tensor, logits_Qhw: Tensor, owners_Q: Tensor, places_K2: Tensor
    ) -> Tensor:
        """The maps of one image's objects and, last, of its background (N + 1, 2h, 2w).

        Args:
            detail_Dhw: from ``detail``, of this image.
            logits_Qhw: the queries of the clicks come first.
            owners_Q: the object of each query, −1 for the background.
            places_K2: (y, x) of the clicks in cells of the logits.
        """
        height, width = logits_Qhw.shape[1:]
        owners_K = owners_Q[: len(places_K2)]
        counts = torch.bincount(owners_K + 1)[1:].tolist()
        maps_Nhw = merge_queries(logits_Qhw, counts)
        margins_Nhw = margins(maps_Nhw)
        with torch.no_grad():
            boxes = list(boxes_around(margins_Nhw[:-1] > 0, places_K2, owners_K, MARGIN))
            own_NShw = _spots(places_K2, counts, height, width)
            against_NShw = own_NShw - margins(own_NShw)
        hints_NHhw = torch.cat(
            (torch.tanh(margins_Nhw[:, None] / _SOFT), own_NShw, against_NShw), dim=1
        )
        finer_Nhw: Tensor = interpolate(
            maps_Nhw[None], scale_factor=FINER, mode="bilinear", align_corners=False
        )[0]
        for batch in in_batches(boxes):
            changes_Bhw = self._changes(detail_Dhw, hints_NHhw, boxes, batch)
            for index, change_hw in zip(batch, changes_Bhw, strict=True):
                rows, columns = map(_finer, boxes[index])
                inside_hw = change_hw[: rows.stop - rows.start, : columns.stop - columns.start]
                # Not +=, which would make the backward pass copy all maps once more each time.
                finer_Nhw[index, rows, columns].add_(inside_hw)
        return finer_Nhw

    def _changes(
        self, detail_Dhw: Tensor, hints_NHhw: Tensor, boxes: Sequence[Box], batch: Sequence[int]
    ) -> Tensor:
        """What is added to each object of the batch in its box, and the padding: (B, 2h, 2w)."""
        sizes = [box_size(boxes[index]) for index in batch]
        height, width = (max(lengths) for lengths in zip(*sizes, strict=True))

        def stacked(maps: Sequence[Tensor]) -> Tensor:
            padded = [
                one[..., *boxes[index]]
                if own == (height, width)
                else pad(one[..., *boxes[index]], (0, width - own[1], 0, height - own[0]))
                for one, index, own in zip(maps, batch, sizes, strict=True)
            ]
            # Channels last: on a CPU a convolution with gaps takes a fifth of the time that way.
            return torch.stack(padded).contiguous(memory_format=torch.channels_last)

        hidden = self.from_hints(stacked([hints_NHhw[index] for index in batch]))
        hidden = (hidden + stacked([detail_Dhw] * len(batch))).relu_()
        # Each is to be answered as if it were alone, and beyond its box there is nothing.
        within_B1hw = None
        if len(set(sizes)) > 1:
            within_B1hw = hidden.new_zeros(len(batch), 1, height, width)
            for one, (own_height, own_width) in zip(within_B1hw, sizes, strict=True):
                one[:, :own_height, :own_width] = 1
        for convolution in self.convolutions:
            if within_B1hw is not None:
                hidden = hidden * within_B1hw
            hidden = convolution(hidden).relu_()
        changes: Tensor = pixel_shuffle(self.change(hidden), FINER)
        return changes[:, 0]


def _finer(cells: slice) -> slice:
    return slice(FINER * cells.start, FINER * cells.stop)


def _spots(places_K2: Tensor, counts: Sequence[int], height: int, width: int) -> Tensor:
    """How near each object's clicks are and, last, the background's, 1 to 0: (N + 1, S, h, w)."""
    device = places_K2.device
    y = torch.arange(height, device=device) + 0.5
    x = torch.arange(width, device=device) + 0.5
    scale_S11 = -0.5 / torch.tensor(SPREADS, device=device).square()[:, None, None]
    down_SKh = ((y - places_K2[:, :1]).square() * scale_S11).exp()
    across_SKw = ((x - places_K2[:, 1:]).square() * scale_S11).exp()
    parts = [*counts, len(places_K2) - sum(counts)]
    found = []
    for down, across in zip(down_SKh.split(parts, 1), across_SKw.split(parts, 1), strict=True):
        if down.shape[1]:
            found.append((down[..., None] * across[:, :, None]).amax(1))
        else:
            found.append(across.new_zeros(len(SPREADS), height, width))
    return torch.stack(found)
