"""Data sets whose images each have a mask file: all benchmarks except COCO and LVIS."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np

from training.data.box_mask import box_mask
from training.data.images import image_size, is_file, read_image
from training.data.open_options import OpenOptions
from training.data.problems import DatasetError, Problems
from training.data.region_files import ReadRegions, Regions
from training.data.sample import AnnotatedObject, Sample, compose
from training.progress import track


@dataclass(frozen=True)
class MaskFilePair:
    """One image and its mask file."""

    sample_id: str  # without the set's name
    image: Path
    mask: Path


class MaskFileDataset:
    """Images with mask files.

    Every file is read once when the set is opened, to check it. ``problems`` lists the faults,
    ``without_objects`` the images without objects.

    Args:
        name: name of the set, and the prefix of its sample ids.
        pairs: the images and their mask files.
        read_regions: reads a mask file.
        problems: faults found while the pairs were listed.
        single_instance: make each object a sample of its own, with all others as background.
        may_be_empty: whether an image may have no object; otherwise that is a problem.
        highest_number: by sample id, the highest region number that counts as an object (DAVIS
            2017: that of the first frame).
        **options: see ``OpenOptions``; ``keep_empty`` applies where ``may_be_empty`` is set.

    Raises:
        DatasetError: there are problems and ``on_problem`` is not ``"skip"``.
    """

    def __init__(
        self,
        name: str,
        pairs: Sequence[MaskFilePair],
        read_regions: ReadRegions,
        *,
        problems: Problems | None = None,
        single_instance: bool = False,
        may_be_empty: bool = False,
        highest_number: dict[str, int] | None = None,
        **options: Unpack[OpenOptions],
    ) -> None:
        self.name = name
        self._read_regions = read_regions
        self._highest_number = highest_number or {}
        self.problems = Problems() if problems is None else problems
        self.without_objects: list[str] = []
        self._items: list[tuple[MaskFilePair, int | None]] = []
        seen: set[str] = set()
        for pair in track(pairs, f"Checking the masks of {name}"):
            if pair.sample_id in seen:
                self.problems.add("duplicate id", pair.image, None, f"{pair.sample_id} twice")
                continue
            seen.add(pair.sample_id)
            numbers = self._check(pair)
            if numbers is None:
                continue
            if not numbers:
                self.without_objects.append(f"{name}/{pair.sample_id}")
                if not may_be_empty:
                    self.problems.add(
                        "empty mask", pair.mask, None, "no pixel belongs to an object"
                    )
                elif options.get("keep_empty"):
                    self._items.append((pair, None))
            elif single_instance:
                self._items += [(pair, number) for number in numbers]
            else:
                self._items.append((pair, None))
        self.problems.settle(name, options.get("on_problem", "raise"))
        self.sample_ids = [
            f"{name}/{pair.sample_id}" + ("" if number is None else f"#{number}")
            for pair, number in self._items
        ]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        pair, single = self._items[index]
        regions = self._regions(pair)
        numbers = _present(regions) if single is None else [single]
        objects = []
        for number in numbers:
            mask = box_mask(regions.numbers == number)
            label = regions.names.get(number, f"object {number}")
            objects.append(AnnotatedObject(mask, label, mask.area, number))
        return compose(
            read_image(pair.image), objects, self.sample_ids[index], unknown=regions.ignore
        )

    def _regions(self, pair: MaskFilePair) -> Regions:
        regions = self._read_regions(pair.mask)
        highest = self._highest_number.get(pair.sample_id)
        if highest is None:
            return regions
        kept = np.where(regions.numbers <= highest, regions.numbers, 0)
        return replace(regions, numbers=kept.astype(np.int32))

    def _check(self, pair: MaskFilePair) -> list[int] | None:
        """Return the numbers of the objects, or None if the pair is faulty."""
        for path in (pair.image, pair.mask):
            if not is_file(path):
                self.problems.add("missing file", path, None, "no such file")
                return None
        try:
            size = image_size(pair.image)
        except DatasetError as error:
            self.problems.add("unreadable image", pair.image, None, str(error))
            return None
        try:
            regions = self._regions(pair)
        except DatasetError as error:
            self.problems.add("unreadable mask", pair.mask, None, str(error))
            return None
        if regions.numbers.shape != size:
            detail = f"the mask is {regions.numbers.shape}, its image {size} (H, W)"
            self.problems.add("wrong size", pair.mask, None, detail)
            return None
        return _present(regions)


def _present(regions: Regions) -> list[int]:
    """Return the numbers of the objects with a pixel that is not ignored, ascending."""
    counted = regions.numbers[~regions.ignore]
    return [int(number) for number in np.unique(counted) if number > 0]
