"""The maps that losses compare: one per object and one for the background, of all images.

B images, Q queries, M maps (N objects and the background of each image).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dynamite.network.logit_margins import merge_queries

BACKGROUND = -1
"""Label of pixels that belong to no object."""

IGNORED = -2
"""Label of pixels that are neither object nor background, such as padding."""


@dataclass(frozen=True)
class MapIndex:
    """The ``image`` and the ``label`` of each of the M maps; label −1 is the background."""

    image: Tensor
    label: Tensor

    @classmethod
    def of(cls, objects: Sequence[int], device: torch.device) -> "MapIndex":
        """Index the maps of images with these numbers of objects; the background comes last."""
        images = [b for b, n in enumerate(objects) for _ in range(n + 1)]
        labels = [label for n in objects for label in (*range(n), BACKGROUND)]
        return cls(torch.tensor(images, device=device), torch.tensor(labels, device=device))

    def __len__(self) -> int:
        return len(self.label)

    def areas(self, labels_BHW: Tensor) -> Tensor:
        """Return the number of pixels of each map's object or background, M."""
        most = int(self.label.max()) + 1
        rows = labels_BHW.flatten(1) + 1  # 0 the background; ignored pixels go beyond the objects
        rows = torch.where(rows < 0, most + 1, rows).long()
        counts = torch.zeros(len(rows), most + 2, device=rows.device, dtype=torch.long)
        counts.scatter_add_(1, rows, torch.ones_like(rows))
        return counts[self.image, self.label + 1]


def merge_images(logits_BQhw: Tensor, clicks: Sequence[Sequence[int]]) -> Tensor:
    """Merge query logits into one map per object and background (``merge_queries``).

    Args:
        logits_BQhw: query logits in query order (docs/network.md, 5).
        clicks: for each image, the number of clicks on each object.

    Returns:
        Logits Mhw in the order of ``MapIndex``.
    """
    images = zip(logits_BQhw, clicks, strict=True)
    return torch.cat([merge_queries(logits, counts) for logits, counts in images])


def label_maps(maps: Sequence[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """Compute the label map of each image as in docs/network.md, 8, but merge before resizing.

    Merging first resizes a few maps instead of one per click. A few pixels between two clicks of an
    object can differ, because a maximum and bilinear resizing do not commute.

    Args:
        maps: for each image, the maps of its objects and, last, of the background (N + 1, h, w).
        size: (H, W) of the label maps.

    Returns:
        For each image, labels H×W: −1 background, i object i.
    """
    result = []
    for maps_Nhw in maps:
        full = functional.interpolate(
            maps_Nhw[None].float(), size, mode="bilinear", align_corners=False
        )
        label_HW = full[0].max(0).indices  # argmax over the first dimension is ten times slower
        result.append(label_HW.masked_fill_(label_HW == len(maps_Nhw) - 1, BACKGROUND))
    return result
