"""The common form of all data sets: an image, its label map, an ignore mask and labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.data.box_mask import BoxMask
from training.data.problems import DatasetError

LabelMap = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

NONE = -1
"""The value of a label map where there is no object; also the parent of an object without one."""

PART_OVERLAP = 0.9
"""Share of its area by which an object must lie on another to count as a part of it."""


@dataclass(frozen=True)
class AnnotatedObject:
    """One object as annotated, before painting: its mask may include pixels that others hide."""

    mask: BoxMask
    label: str
    area: int  # number of pixels of ``mask``
    annotation_id: int | str
    stuff: bool = False  # an amorphous region such as sky or grass, not a thing


@dataclass(frozen=True)
class Sample:
    """An image with N disjoint objects.

    Every pixel belongs to an object (label map ≥ 0), is ignored, or is background.
    """

    image: npt.NDArray[np.uint8]  # H×W×3 RGB
    label_map: LabelMap  # H×W: −1, or the index of the visible object
    labels: tuple[str, ...]  # N
    ignore: Mask  # H×W: neither object nor background (unknown, crowd, padding)
    sample_id: str
    exhaustive: bool = True  # False: some objects of the image are not annotated
    parents: tuple[int, ...] = ()  # N: the object this one is a part of, or −1
    stuff: tuple[bool, ...] = ()  # N
    whole_areas: tuple[int, ...] = ()  # N: pixels in the source, hidden and cut-off ones too

    def __post_init__(self) -> None:
        shape = self.image.shape[:2]
        if self.label_map.shape != shape or self.ignore.shape != shape:
            raise DatasetError(
                f"{self.sample_id}: image {shape}, label map {self.label_map.shape} and ignore "
                f"mask {self.ignore.shape} must have the same size"
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
        """Number of visible pixels of each object, N."""
        counts = np.bincount(self.label_map.ravel() + 1, minlength=len(self.labels) + 1)
        return counts[1:].astype(np.int64, copy=False)

    def keep(self, chosen: Iterable[int]) -> "Sample":
        """Return the sample with only these objects, in this order.

        The pixels of a dropped part go to the nearest kept object that it is a part of. The
        pixels of any other dropped object become background.
        """
        order = list(chosen)
        index = {old: new for new, old in enumerate(order)}

        def nearest_kept(old: int) -> int:
            while old != NONE and old not in index:
                old = self.parents[old]
            return index.get(old, NONE)

        table = np.array([NONE] + [nearest_kept(old) for old in range(len(self.labels))], np.int32)
        return replace(
            self,
            label_map=table[self.label_map + 1],
            labels=tuple(self.labels[old] for old in order),
            parents=tuple(nearest_kept(self.parents[old]) for old in order),
            stuff=tuple(self.stuff[old] for old in order),
            whole_areas=tuple(self.whole_areas[old] for old in order),
        )


class InstanceDataset(Protocol):
    """A source of samples. Sample ids are unique, stable, and known without reading images."""

    @property
    def name(self) -> str:
        """The name used in reports."""

    @property
    def sample_ids(self) -> Sequence[str]:
        """The id of each sample, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def paint(
    masks: Sequence[BoxMask], shape: tuple[int, int], min_visible_area: int = 0
) -> tuple[LabelMap, list[int], list[int]]:
    """Paint masks from large to small, so that small objects lie in front.

    Args:
        masks: the objects' masks.
        shape: (H, W) of the image.
        min_visible_area: objects with at most this many visible pixels are left out.

    Returns:
        The label map (int32 H×W); for each of its indices the position in ``masks`` (by
        descending area, equal areas in the given order); and for each index its parent, the
        index of the object it is a part of, or −1.
    """
    areas = [mask.area for mask in masks]
    order = sorted(range(len(masks)), key=lambda position: -areas[position])
    labels, parents = _paint_in_order(masks, areas, order, shape)
    visible = np.bincount(labels.ravel() + 1, minlength=len(order) + 1)[1:]
    if order and visible.min() <= min_visible_area:
        order = [p for p, area in zip(order, visible, strict=True) if area > min_visible_area]
        # Removing objects uncovers others, so no further object can fall below the limit.
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
    objects: Sequence[AnnotatedObject],
    sample_id: str,
    *,
    unknown: Mask | None = None,
    crowd: Mask | None = None,
    exhaustive: bool = True,
    min_visible_area: int = 0,
) -> Sample:
    """Make a sample from annotated objects.

    Args:
        image: H×W×3 RGB.
        objects: the annotated objects.
        sample_id: unique and stable.
        unknown: H×W, pixels to ignore even where an object lies.
        crowd: H×W, pixels to ignore where no object lies.
        exhaustive: whether all objects of the image are annotated.
        min_visible_area: objects with at most this many visible pixels are left out.
    """
    shape = (image.shape[0], image.shape[1])
    masks = [one.mask for one in objects]
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
        label_map=labels,
        labels=tuple(objects[position].label for position in order),
        ignore=ignore,
        sample_id=sample_id,
        exhaustive=exhaustive,
        parents=tuple(parents),
        stuff=tuple(objects[position].stuff for position in order),
        whole_areas=tuple(objects[position].area for position in order),
    )


class SampleList:
    """Samples in memory, as a data set."""

    def __init__(self, name: str, samples: Sequence[Sample]) -> None:
        self.name = name
        self.sample_ids = [sample.sample_id for sample in samples]
        self._samples = list(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]
