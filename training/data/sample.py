"""The one shape of all data sets: an image, its disjoint objects, what to ignore, and names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.data.box_mask import BoxMask
from training.data.problems import DatasetError

LabelMap = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

NONE = -1  # in a label map: no object here
PART_OVERLAP = 0.9  # of its area an object must lie on another to count as a part of it


@dataclass(frozen=True)
class Instance:
    """One annotated object, whole: parts hidden by others may be included."""

    mask: BoxMask
    label: str
    area: int  # pixels of `mask`
    annotation_id: int | str
    stuff: bool = False  # an amorphous region (sky, grass), not a thing


@dataclass(frozen=True)
class Sample:
    """An image with N disjoint objects.

    Every pixel is one of three: of an object (instances ≥ 0), ignored, or background.
    """

    image: npt.NDArray[np.uint8]  # H×W×3 RGB
    instances: LabelMap  # H×W, −1 or the index of the object seen there
    labels: tuple[str, ...]  # N
    ignore: Mask  # H×W, neither object nor background (unknown, crowd, padding)
    sample_id: str
    exhaustive: bool = True  # False: some objects of the image are not annotated
    parents: tuple[int, ...] = ()  # N, the object this one is a part of, −1 for none
    stuff: tuple[bool, ...] = ()  # N
    whole_areas: tuple[int, ...] = ()  # N, pixels in the source, hidden and cut-off ones included

    def __post_init__(self) -> None:
        shape = self.image.shape[:2]
        if self.instances.shape != shape or self.ignore.shape != shape:
            raise DatasetError(
                f"{self.sample_id}: image {shape}, label map {self.instances.shape} and ignore "
                f"map {self.ignore.shape} must have the same size"
            )
        count = len(self.labels)
        if not self.parents:
            object.__setattr__(self, "parents", (NONE,) * count)
        if not self.stuff:
            object.__setattr__(self, "stuff", (False,) * count)
        if not self.whole_areas:
            object.__setattr__(self, "whole_areas", tuple(self.areas.tolist()))
        if not len(self.parents) == len(self.stuff) == len(self.whole_areas) == count:
            raise DatasetError(
                f"{self.sample_id}: {count} labels, but parents, stuff or whole areas differ"
            )

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """Visible pixels of each object, N."""
        counts = np.bincount(self.instances.ravel() + 1, minlength=len(self.labels) + 1)
        return counts[1:].astype(np.int64, copy=False)

    def keep(self, chosen: Iterable[int]) -> "Sample":
        """Only these objects, in this order.

        The pixels of a part that is left out go to the nearest kept object it is a part of;
        those of any other object become background.
        """
        order = list(chosen)
        index = {old: new for new, old in enumerate(order)}

        def heir(old: int) -> int:
            while old != NONE and old not in index:
                old = self.parents[old]
            return index.get(old, NONE)

        table = np.array([NONE] + [heir(old) for old in range(len(self.labels))], np.int32)
        return replace(
            self,
            instances=table[self.instances + 1],
            labels=tuple(self.labels[old] for old in order),
            parents=tuple(heir(self.parents[old]) for old in order),
            stuff=tuple(self.stuff[old] for old in order),
            whole_areas=tuple(self.whole_areas[old] for old in order),
        )


class InstanceDataset(Protocol):
    """Any source of samples. `sample_ids` are unique, stable, and known without reading images."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def sample_ids(self) -> Sequence[str]:
        """One for each sample, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def paint(
    masks: Sequence[BoxMask], shape: tuple[int, int], min_visible_area: int = 0
) -> tuple[LabelMap, list[int], list[int]]:
    """Paint masks from large to small, so that small ones are in front.

    Returns the label map (int32 H×W), the masks' positions in `masks` by index of the label map
    (area descending, equals in the given order), and for each the index of the object it is a
    part of (−1 for none). Objects with a visible area of at most `min_visible_area` are left out.
    """
    areas = [mask.area for mask in masks]
    order = sorted(range(len(masks)), key=lambda position: -areas[position])
    labels, parents = _paint_in_order(masks, areas, order, shape)
    visible = np.bincount(labels.ravel() + 1, minlength=len(order) + 1)[1:]
    if order and visible.min() <= min_visible_area:
        order = [p for p, area in zip(order, visible, strict=True) if area > min_visible_area]
        # What they hid comes into sight: no other object can fall below the limit now.
        labels, parents = _paint_in_order(masks, areas, order, shape)
    return labels, order, parents


def _paint_in_order(
    masks: Sequence[BoxMask], areas: Sequence[int], order: Sequence[int], shape: tuple[int, int]
) -> tuple[LabelMap, list[int]]:
    labels = np.full(shape, NONE, np.int32)
    parents = []
    for index, position in enumerate(order):
        labels_hw, own_hw = labels[masks[position].window], masks[position].pixels
        behind = np.bincount(labels_hw[own_hw] + 1, minlength=2)[1:]
        parent = int(behind.argmax())
        is_part = areas[position] and behind[parent] >= PART_OVERLAP * areas[position]
        parents.append(parent if is_part else NONE)
        labels_hw[own_hw] = index
    return labels, parents


def compose(
    image: npt.NDArray[np.uint8],
    instances: Sequence[Instance],
    sample_id: str,
    *,
    unknown: Mask | None = None,
    crowd: Mask | None = None,
    exhaustive: bool = True,
    min_visible_area: int = 0,
) -> Sample:
    """A sample of whole objects. `unknown` pixels win over objects, `crowd` ones yield to them."""
    shape = (image.shape[0], image.shape[1])
    masks = [instance.mask for instance in instances]
    if unknown is not None:
        masks = [mask.without(unknown) for mask in masks]
    labels, order, parents = paint(masks, shape, min_visible_area)
    ignore = np.zeros(shape, np.bool_)
    if unknown is not None:
        ignore |= unknown
    if crowd is not None:
        ignore |= crowd & (labels == NONE)
    return Sample(
        image=image,
        instances=labels,
        labels=tuple(instances[position].label for position in order),
        ignore=ignore,
        sample_id=sample_id,
        exhaustive=exhaustive,
        parents=tuple(parents),
        stuff=tuple(instances[position].stuff for position in order),
        whole_areas=tuple(instances[position].area for position in order),
    )
